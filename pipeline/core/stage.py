"""The one shape of a stage: its signature is its declaration, and its command line follows from it."""

import argparse
import gc
import importlib
import inspect
import json
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

from pydantic import TypeAdapter, ValidationError

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import read_json
from pipeline.core.guard import alone, bound

In = Annotated[Path, "in"]
Out = Annotated[Path, "out"]

STAGES = (
    "code", "params", "fetch", "ingest", "validate", "corpus", "pretrain", "tokenize", "extract", "baseline",
    "finetune", "evaluate", "rival", "start", "study", "transfer", "report",
)  # fmt: skip
WHOLE = ("corpus", "transfer", "report")  # stages that are one, not one a task, source, encoder, arm or cell


class Declaration(NamedTuple):
    """What a stage's signature says: the type of its params (None where it takes none), its inputs and outputs."""

    params: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def load(stage: str) -> Callable[..., None]:
    """Return the `run` of the stage's module; importing it is what makes a stage slow to start, so load one.

    Raises:
        UsageError: There is no such stage.
    """
    if stage not in STAGES:
        raise UsageError(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    with _no_garbage():
        run: Callable[..., None] = importlib.import_module(f"pipeline.stages.{stage}").run
    return run


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Look for no garbage inside the block, nor ever again in what it made: modules are none, and looking is slow."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def declaration(run: Callable[..., None]) -> Declaration:
    """Return what `run(params: P, *, name: In, ..., name: Out) -> None` declares, names in the order written.

    Raises:
        TypeError: The signature has another shape.
    """
    hints = typing.get_type_hints(run, include_extras=True)
    if hints.pop("return", None) is not type(None):
        raise TypeError("a stage returns None")
    params: Any = None
    inputs: list[str] = []
    outputs: list[str] = []
    for name, parameter in inspect.signature(run).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and hints[name] in (In, Out):
            (inputs if hints[name] == In else outputs).append(name)
        elif name == "params" and params is None and not inputs and not outputs:
            params = hints[name]
        else:
            raise TypeError(f"a stage has `params`, then keyword-only In and Out paths; found {parameter}")
    return Declaration(params, tuple(inputs), tuple(outputs))


def section(resolved: Any, stage: str, name: str | None, kind: Any) -> Any:
    """Return the params of a stage (of task, source, arm or cell `name`, if it has one) out of the resolved params.

    Raises:
        UsageError: The name is missing, unknown or not needed, or the resolved params do not fit the stage.
    """
    values = resolved[stage]
    per_name = stage not in WHOLE
    if per_name != (name is not None):
        raise UsageError(f"{stage} {'needs the name of a task, source, arm or cell' if per_name else 'takes no name'}")
    if name is not None:
        if name not in values:
            raise UsageError(f"{stage} has no {name!r}; there are {', '.join(values)}")
        values = values[name]
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UsageError(
            f"the resolved params of {stage} do not fit it: {problems}. Run `dvc repro` to resolve them anew."
        ) from error


def command_line(stage: str, arguments: Sequence[str]) -> None:
    """Run one stage from its words: `[NAME] [--params PATH] --NAME PATH ...`.

    Raises:
        UsageError: A word is missing or unknown.
        EnvironmentFault: An input is not there.
        Busy: Another process writes one of the outputs.
        Stopped: The process was asked to stop, or its parent died.
    """
    with bound():
        run = load(stage)
        declared = declaration(run)
        given = vars(_parser(stage, run, declared).parse_args(arguments))
        paths = {name: given[name] for name in (*declared.inputs, *declared.outputs)}
        for name in declared.inputs:
            if not paths[name].exists():
                raise EnvironmentFault(
                    f"{stage} reads --{name} {paths[name]}, and it is not there. Run `dvc repro`, which makes it."
                )
        values = {}
        if declared.params is not None:
            values = {"params": section(read_json(given["params"]), stage, given["name"], declared.params)}
        with alone(paths[name] for name in declared.outputs):
            run(**values, **paths)


class _Parser(argparse.ArgumentParser):
    """A parser that reports like everything else here."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}")


def _parser(stage: str, run: Callable[..., None], declared: Declaration) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"python -m pipeline {stage}", description=inspect.getdoc(run))
    if declared.params is not None:
        parser.add_argument("name", nargs="?", help="the task, the source, the arm or the cell")
        parser.add_argument("--params", type=Path, required=True, metavar="PATH", help="the resolved params")
    for name in (*declared.inputs, *declared.outputs):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="PATH")
    return parser
