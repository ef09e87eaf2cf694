"""The shape of every stage: its signature is its declaration, of its files and of what it asks of a kind of task."""

import gc
import importlib
import importlib.util
import inspect
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from pipeline.core.errors import REPRODUCE, UsageError
from pipeline.core.modules import Definition

In = Annotated[Path, "in"]
Gate = Annotated[Path, "gate"]  # an input that must exist and whose content the stage does not read
Out = Annotated[Path, "out"]
_OPTIONAL = (In | None, Out | None)

STAGES = (
    "code", "params", "fetch", "ingest", "validate", "corpus", "pretrain", "tokenize", "extract", "baseline",
    "inspect", "finetune", "calibrate", "evaluate", "rival", "start", "study", "transfer",
    "withhold", "propose", "trial", "halve", "rung", "finalists", "confirm", "search", "report", "track", "export",
)  # fmt: skip
WHOLE = ("corpus", "transfer", "report")  # stages that run once, not once for each task, source, encoder, arm or cell

KINDS = (  # of tasks, by Hugging Face's names
    "text-classification", "multi-label-classification", "text-regression", "token-classification",
    "question-answering", "image-classification",
)  # fmt: skip
# A facet of a kind is a type, the module of the kind that holds its value, and that value: `Learning`, `learning.py`,
# `LEARNING`.
FACETS = ("settings", "examples", "checks", "inputs", "feed", "learning", "baselines", "measures", "page", "answers")


class Facet(NamedTuple):
    """A facet that a stage asks for: that of its task's kind or, if `every`, those of all kinds by their names."""

    name: str
    every: bool


class Declaration(NamedTuple):
    """The declaration in a stage's signature: the type of its params (None if it has none), its inputs and outputs.

    `optional` are the inputs and outputs that dvc.yaml may leave out; the stage then gets None. `facets` are those that
    it asks for of the kind of its task, by the name of the parameter.
    """

    params: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    optional: tuple[str, ...]
    facets: tuple[tuple[str, Facet], ...] = ()


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
    """Return what `run(params: P, name: FACET, ..., *, name: In, ..., name: Out) -> None` declares, in order.

    A path is optional if it is declared as `name: In | None = None` or `name: Out | None = None`. A facet is asked for
    by its type, that of every kind by `Mapping[str, TYPE]`.

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
    facets: list[tuple[str, Facet]] = []
    for name, parameter in inspect.signature(run).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and hints[name] in (In, Gate, Out):
            (outputs if hints[name] == Out else inputs).append(name)
        elif parameter.kind is parameter.KEYWORD_ONLY and hints[name] in _OPTIONAL and parameter.default is None:
            (outputs if hints[name] == Out | None else inputs).append(name)
            optional.append(name)
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and (facet := _read_facet(hints[name])):
            facets.append((name, facet))
        elif name == "params" and params is None and not facets and not inputs and not outputs:
            params = hints[name]
        else:
            raise TypeError(
                f"a stage has `params`, facets of a kind, then keyword-only In, Gate and Out paths, found {parameter}"
            )
    return Declaration(params, tuple(inputs), tuple(outputs), tuple(optional), tuple(facets))


def bind_facets(declaration: Declaration, kind: str | None) -> dict[str, Any]:
    """Return the facets that a stage asks for, by the name of the parameter.

    Raises:
        UsageError: It asks for one of the kind of its task, and there is no kind, or none of this name.
    """
    return {
        name: load_facets(facet.name) if facet.every else load_facet(_require_kind(kind), facet.name)
        for name, facet in declaration.facets
    }


def _require_kind(kind: str | None) -> str:
    if kind is None:
        raise UsageError(f"the resolved params do not fit the stage, no kind of the task. {REPRODUCE}")
    return kind


def locate_facet(kind: str, facet: str, package: str = "pipeline") -> Definition:
    """Return the module and the name of a facet of a kind."""
    return Definition(f"{package}.kinds.{kind.replace('-', '_')}.{facet}", facet.upper())


def load_facet(kind: str, facet: str) -> Any:
    """Return a facet of a kind; load its module alone, since the others may be slow to import.

    Raises:
        UsageError: There is no such kind.
    """
    if kind not in KINDS:
        raise UsageError(f"no kind of task {kind!r}. Name one of {', '.join(KINDS)}.")
    module, name = locate_facet(kind, facet)
    return getattr(importlib.import_module(module), name)


def list_kinds(facet: str) -> tuple[str, ...]:
    """Return the kinds that have a facet, one that no kind must have; none is loaded."""
    return tuple(kind for kind in KINDS if importlib.util.find_spec(locate_facet(kind, facet).module))


def load_facets(facet: str) -> dict[str, Any]:
    """Return a facet of every kind, by the name of the kind."""
    return {kind: load_facet(kind, facet) for kind in KINDS}


def _read_facet(hint: Any) -> Facet | None:
    """Return the facet that the annotation of a parameter asks for; None if it is none."""
    every = typing.get_origin(hint) is Mapping
    facet = str(getattr(typing.get_args(hint)[-1] if every else hint, "__name__", "")).lower()
    return Facet(facet, every) if facet in FACETS else None


def stage_params(resolved: Any, stage: str, name: str | None, declared: Any) -> tuple[Any, str | None]:
    """Return the params of a stage (of task, source, arm or cell `name`, if it has one), and the kind of their task.

    They are of the class that the kind has for the stage or, if there is no task or the kind has none, as `declared`.

    Raises:
        UsageError: The name is missing, unknown or not needed, or the resolved params do not fit the stage.
    """
    values = _find_section(resolved, stage, name)
    kind = resolved.get("kinds", {}).get(values.get("task"))
    own = declared if kind is None else load_facet(kind, "settings").sections.get(stage, declared)
    try:
        return TypeAdapter(own).validate_json(json.dumps(values)), kind
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UsageError(f"the resolved params do not fit the stage, {problems}. {REPRODUCE}") from error


def _find_section(resolved: Any, stage: str, name: str | None) -> Any:
    """Return the section of a stage, or that of `name` in it.

    Raises:
        UsageError: There is none.
    """
    values = resolved.get(stage) if isinstance(resolved, dict) else None
    per_name = stage not in WHOLE
    if not isinstance(values, dict):
        raise UsageError(f"the resolved params do not fit the stage, no section {stage!r}. {REPRODUCE}")
    if per_name and name is None:
        raise UsageError(f"a name is missing. Name one of {', '.join(values)}.")
    if not per_name and name is not None:
        raise UsageError(f"the stage takes no name, found {name!r}. Leave it out.")
    if name is None:
        return values
    if name not in values:
        raise UsageError(f"unknown name, found {name!r}. Name one of {', '.join(values)}.")
    return values[name]
