"""The command line of a stage, made from its declaration, and the parser of all command lines."""

import argparse
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from pipeline.core.errors import REPRODUCE, EnvironmentFault, UsageError
from pipeline.core.files import read_json
from pipeline.core.guard import end_with_parent, lock_outputs
from pipeline.core.stage import Declaration, load, read_declaration, stage_params


class Parser(argparse.ArgumentParser):
    """A parser whose errors are `UsageError`s, so that they end like all others."""

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError` with the message and the usage."""
        raise UsageError(f"{message}\n{self.format_usage().strip()}")


def run_stage(stage: str, arguments: Sequence[str]) -> None:
    """Run one stage from its arguments: `[NAME] [--params PATH] --NAME PATH ...`.

    Raises:
        UsageError: An argument is missing or unknown.
        EnvironmentFault: An input does not exist.
        Busy: Another process is writing one of the outputs.
        Stopped: The process was asked to stop, or its parent died.
    """
    with end_with_parent(lambda: load(stage)) as run:
        declaration = read_declaration(run)
        words = vars(_make_parser(stage, run, declaration).parse_args(arguments))
        paths = {name: words[name] for name in (*declaration.inputs, *declaration.outputs)}
        for name in declaration.inputs:
            if paths[name] is not None and not paths[name].exists():
                raise EnvironmentFault(f"input --{name} not found: {paths[name]}. {REPRODUCE}")
        values = {}
        if declaration.params is not None:
            values = {"params": stage_params(read_json(words["params"]), stage, words["name"], declaration.params)}
        with lock_outputs(paths[name] for name in declaration.outputs):
            run(**values, **paths)


def _make_parser(stage: str, run: Callable[..., None], declaration: Declaration) -> Parser:
    parser = Parser(prog=f"python -m pipeline {stage}", description=inspect.getdoc(run))
    if declaration.params is not None:
        parser.add_argument("name", nargs="?", help="the task, source, encoder, arm or cell")
        parser.add_argument("--params", type=Path, required=True, metavar="PATH", help="the resolved params")
    for name in (*declaration.inputs, *declaration.outputs):
        parser.add_argument(f"--{name}", type=Path, required=name not in declaration.optional, metavar="PATH")
    return parser
