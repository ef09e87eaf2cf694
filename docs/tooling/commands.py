"""The commands of the command line with their help."""

import importlib
import inspect
from collections.abc import Iterator


def list_commands() -> Iterator[tuple[str, str]]:
    """Yield the name and the help of each command."""
    for name, command in importlib.import_module("pipeline.commands").COMMANDS.items():
        yield name, (inspect.getdoc(command) or "").partition("\n\nRaises:")[0]
