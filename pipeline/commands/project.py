"""The commands that change the files of one's own project."""

import importlib
import sys
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup
from pipeline.core.command_line import PATH
from pipeline.core.files import read_json, write_json

PROJECT = CommandGroup("Own project")
FINDINGS, PROFILES = Path("data/findings"), Path("data/profiles.json")
RESTORE = f"Run `git checkout -- {PROFILES}` to restore it."


@PROJECT.command()
@click.argument("folder", type=PATH)
@click.option("--file", type=PATH, help="CSV, TSV, JSON Lines or Parquet, or a folder like a dataset of the Hub.")
@click.option("--text", metavar="COLUMN", help="Column of the texts, if it is not clear.")
@click.option("--label", metavar="COLUMN", help="Column of the labels, if it is not clear.")
@click.option("--name", metavar="TASK", help="Name of the task, else that of the file.")
def init_command(folder: Path, file: Path | None, text: str | None, label: str | None, name: str | None) -> None:
    """Make a project of your own that holds the pipeline.

    FOLDER is new or empty. With --file, params.yaml is written for these data, and `make repro` runs them.

    Raises:
        UsageError: The folder is not empty, or a column is not clear.
        DataError: The data break their format.
        EnvironmentFault: git or DVC failed.
    """
    init = importlib.import_module("pipeline.project.init")
    ask = importlib.import_module("pipeline.project.question").ask_terminal if sys.stdin.isatty() else None
    task = init.init_project(folder, file, text=text, label=label, name=name, ask=ask)
    print(
        init.describe_project(folder, task, importlib.import_module("pipeline.project.vendor").list_edits(init.CLONE))
    )


@PROJECT.command()
@click.argument("source")
@click.argument("revision", default="HEAD")
def update_command(source: str, revision: str) -> int:
    """Merge another version of the pipeline into the project.

    SOURCE is a clone of Transferline or a URL that Git clones, REVISION a branch or tag of it (default: HEAD). The exit
    code is 1 if Git has left conflicts.

    Raises:
        UsageError: Changes are not committed, or there is no such version.
        EnvironmentFault: Git failed.
    """
    code, text = importlib.import_module("pipeline.project.update").update_project(source, revision)
    print(text)
    return int(code)


@PROJECT.command()
@click.argument("repository", metavar="OWNER/NAME")
@click.option("--revision", default="main", show_default=True, help="A branch, tag or commit.")
@click.option("--type", "kind", type=click.Choice(["model", "dataset"]), default="model", show_default=True)
@click.option("--config", help="The config of a dataset that has several and no default one.")
def pin_command(repository: str, revision: str, kind: str, config: str | None) -> None:
    """Add a model or dataset of the Hub to the sources.

    They stand in params.yaml.

    Raises:
        UsageError: There is no such repository, revision, config or file.
        EnvironmentFault: The hub could not be reached, or params.yaml not be read.
    """
    pin = importlib.import_module("pipeline.project.pin")
    print(pin.pin_source(repository, revision=revision, kind=kind, config=config))


@PROJECT.command()
@click.argument("kind")
@click.argument("name")
@click.argument("file", type=PATH)
@click.option("--write", is_flag=True, help="Add them to params.yaml.")
def new_command(kind: str, name: str, file: Path, write: bool) -> None:
    """Print the lines of a task that fits a file.

    KIND is text-classification or another kind of task, NAME the task's, FILE a table. What cannot be decided is said.

    Raises:
        UsageError: There is no such kind or file, the name is taken, or --write and something is not decided.
        DataError: The file breaks its format.
        EnvironmentFault: A file cannot be read, or params.yaml not be written.
    """
    print(importlib.import_module("pipeline.project.drafts.draft").add_task(kind, name, file, write=write))


@PROJECT.command()
@click.argument("task")
def relabel_command(task: str) -> None:
    """Add the suspicious labels of TASK to its file of corrections.

    That is data/corrections/TASK.csv. What is corrected in it stays; fill in the column `correction` of the others.

    Raises:
        UsageError: The task has no suspects yet.
        DataError: A file is no valid CSV, or no file of corrections.
    """
    relabel = importlib.import_module("pipeline.project.relabel")
    corrected, fresh = relabel.add_suspects(task)
    print(
        f"{relabel.CORRECTIONS / task}.csv: {corrected} corrected, {fresh} to look at. Fill in `correction`, set\n"
        f"tasks.{task}.ingest.corrections: {task}.csv in params.yaml, then run `make repro TASK={task}`."
    )


@PROJECT.command()
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
def accept_command(tasks: tuple[str, ...]) -> None:
    """Make the present profile of each TASK its reference for drift.

    Raises:
        EnvironmentFault: A task has no findings yet.
    """
    set_reference = importlib.import_module("pipeline.checks.drift").set_reference
    profiles = read_json(PROFILES, fix=RESTORE)
    for task in tasks:
        profiles = set_reference(profiles, task, read_json(FINDINGS / f"{task}.json")["profile"])
    write_json(PROFILES, profiles)
    print(f"{PROFILES} now holds the profile of {', '.join(tasks)}; commit it.")
