"""The commands for a model in production: `publish` and `watch`."""

import importlib
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup
from pipeline.core.command_line import PATH

PRODUCTION = CommandGroup("In production")


@PRODUCTION.command()
@click.argument("task")
@click.option("--to", "target", required=True, metavar="TARGET", help="hub:OWNER/NAME, or the folder of a registry.")
@click.option("--send", is_flag=True, help="Publish it; without, nothing is sent.")
def publish_command(task: str, target: str, send: bool) -> None:
    """List what a published model would hold, and publish it.

    TARGET gets the model of TASK as the last commit records it: weights, tokenizer, card, metrics, provenance and, if
    there is one, the ONNX bundle. No text of the data goes. The exit code is 5 if the commit's results are not those of
    its code, parameters and data.

    Raises:
        UsageError: The commit has no results of the task, or the target is wrong.
        EnvironmentFault: A file, the registry or the hub failed.
        NotReproduced: The results are not those of the commit.
    """
    importlib.import_module("pipeline.publish.command").publish_model(task, target, send=send)


@PRODUCTION.command()
@click.argument("task")
@click.argument("file", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="All numbers as JSON.")
@click.option("--against", metavar="REVISION", help="A commit, branch or tag: its model answers the file too.")
def watch_command(task: str, file: Path, as_json: bool, against: str | None) -> int:
    """Compare what came in with what the model was tested on.

    FILE is read as the file of TASK, or by its suffix. If it has the column of the labels, the metrics are measured
    too. The limits are those of `watch` in params.yaml; the exit code is 1 if one is passed. No text is printed.

    Raises:
        UsageError: There is no such task, model or revision.
        DataError: The file breaks its format, or has too few new texts.
        EnvironmentFault: A file cannot be read.
    """
    code: int = importlib.import_module("pipeline.watch.command").print_watch(
        task, file, against=against, as_json=as_json
    )
    return code
