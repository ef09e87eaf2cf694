"""The shape of every stage: its signature is its declaration."""

import gc
import importlib
import inspect
import json
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from pipeline.core.errors import REPRODUCE, UsageError

In = Annotated[Path, "in"]
Gate = Annotated[Path, "gate"]  # an input that must exist and whose content the stage does not read
Out = Annotated[Path, "out"]

STAGES = (
    "code", "params", "fetch", "ingest", "validate", "corpus", "pretrain", "tokenize", "extract", "baseline",
    "inspect", "finetune", "calibrate", "evaluate", "rival", "start", "study", "transfer",
    "withhold", "propose", "trial", "finalists", "confirm", "search", "report", "track", "export",
)  # fmt: skip
WHOLE = ("corpus", "transfer", "report")  # stages that run once, not once for each task, source, encoder, arm or cell


class Declaration(NamedTuple):
    """The declaration in a stage's signature: the type of its params (None if it has none), its inputs and outputs.

    `optional` are the inputs that dvc.yaml may leave out; the stage then gets None.
    """

    params: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    optional: tuple[str, ...]


def load(stage: str) -> Callable[..., None]:
    """Return the `run` of the stage's module; load only one, since the import is what makes a stage slow to start.

    Raises:
        UsageError: There is no such stage.
    """
    if stage not in STAGES:
        raise UsageError(f"no stage {stage!r}. Name one of {', '.join(STAGES)}.")
    with _no_garbage_collection():
        run: Callable[..., None] = importlib.import_module(f"pipeline.stages.{stage}").run
    return run


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Run the body without garbage collection, and leave its objects out of later ones.

    Imported modules stay until the end, so a search among them is slow and frees nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def read_declaration(run: Callable[..., None]) -> Declaration:
    """Return what `run(params: P, *, name: In, ..., name: Out) -> None` declares, names in the order written.

    An input is optional if it is declared as `name: In | None = None`.

    Raises:
        TypeError: The signature has another shape.
    """
    hints = typing.get_type_hints(run, include_extras=True)
    if hints.pop("return", None) is not type(None):
        raise TypeError("a stage must return None")
    params: Any = None
    inputs: list[str] = []
    outputs: list[str] = []
    optional: list[str] = []
    for name, parameter in inspect.signature(run).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and hints[name] in (In, Gate, Out):
            (outputs if hints[name] == Out else inputs).append(name)
        elif parameter.kind is parameter.KEYWORD_ONLY and hints[name] == In | None and parameter.default is None:
            inputs.append(name)
            optional.append(name)
        elif name == "params" and params is None and not inputs and not outputs:
            params = hints[name]
        else:
            raise TypeError(f"a stage has `params`, then keyword-only In, Gate and Out paths, found {parameter}")
    return Declaration(params, tuple(inputs), tuple(outputs), tuple(optional))


def stage_params(resolved: Any, stage: str, name: str | None, kind: Any) -> Any:
    """Return the params of a stage (of task, source, arm or cell `name`, if it has one) from the resolved params.

    Raises:
        UsageError: The name is missing, unknown or not needed, or the resolved params do not fit the stage.
    """
    values = resolved.get(stage) if isinstance(resolved, dict) else None
    per_name = stage not in WHOLE
    if not isinstance(values, dict):
        raise UsageError(f"the resolved params do not fit the stage, no section {stage!r}. {REPRODUCE}")
    if per_name and name is None:
        raise UsageError(f"a name is missing. Name one of {', '.join(values)}.")
    if not per_name and name is not None:
        raise UsageError(f"the stage takes no name, found {name!r}. Leave it out.")
    if name is not None:
        if name not in values:
            raise UsageError(f"unknown name, found {name!r}. Name one of {', '.join(values)}.")
        values = values[name]
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UsageError(f"the resolved params do not fit the stage, {problems}. {REPRODUCE}") from error
