"""The commands of the command line with their help."""

import importlib
from collections.abc import Iterator

import click


def list_commands() -> Iterator[tuple[str, str]]:
    """Yield the name and the help of each command, group by group."""
    for group in importlib.import_module("pipeline.commands.line").COMMANDS.sources:
        for name, command in group.commands.items():
            context = click.Context(command, info_name=f"python -m pipeline {name}", terminal_width=80)
            yield name, command.get_help(context)
