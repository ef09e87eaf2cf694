"""The group of a command, and the argument that several commands share."""

import re
from pathlib import Path

import click

from pipeline.core.command_line import Command

LOCK = Path("dvc.lock")


class CommandGroup(click.Group):
    """Commands that the help lists under one name, in the order of their declarations."""

    command_class = Command


def complete_targets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the stages in dvc.lock that begin with some letters: reading dvc.yaml would take DVC a second."""
    text = LOCK.read_text(encoding="utf-8", errors="replace") if LOCK.is_file() else ""
    return [name for name in re.findall(r"^  (\S+):$", text, flags=re.MULTILINE) if name.startswith(incomplete)]


targets_argument = click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=complete_targets)
