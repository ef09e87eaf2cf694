"""The commands for a model in production: `publish` and `watch`."""

import importlib

import click

from pipeline.commands.group import CommandGroup

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
