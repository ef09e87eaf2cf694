"""The commands that change the files of one's own project."""

import importlib
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup
from pipeline.core.files import read_json, write_json

PROJECT = CommandGroup("Own project")
FINDINGS, PROFILES = Path("data/findings"), Path("data/profiles.json")
RESTORE = f"Run `git checkout -- {PROFILES}` to restore it."


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
