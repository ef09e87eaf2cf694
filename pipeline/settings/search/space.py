"""The space of a search: for each key of `finetune` the values that may be tried, and under which condition."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline.core.document import Document, Strict
from pipeline.settings.problems import Problems, describe_unknown
from pipeline.settings.section import check_section, refuse_derived
from pipeline.settings.task import FinetuneParams

Scalar = bool | int | float | str | None
# Values of other keys, one of which each must have for a key to be searched.
Condition = Annotated[dict[str, Annotated[tuple[Scalar, ...], Field(min_length=1)]], Field(min_length=1)]
FIXED = ("task", "seed", "metric")  # the score of a trial is that of this metric, and all trials share the seed


class Interval(Strict):
    """The numbers from `low` to `high`, both included; drawn evenly in their logarithm if `log`."""

    low: int | float
    high: int | float
    log: bool = False
    when: Condition | None = None

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"`low` must be less than `high`, found {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"with `log`, `low` must be greater than 0, found {self.low:g}")
        return self


class Options(Strict):
    """A list of values without an order."""

    choices: Annotated[tuple[Scalar, ...], Field(min_length=2)]
    when: Condition | None = None

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        for index, value in enumerate(self.choices):
            if any(value is other or value == other for other in self.choices[:index]):
                raise ValueError(f"`choices` must not repeat, found {value!r} twice")
        return self


def _form(value: object) -> str:
    """Return the tag of a range of values, so that pydantic reports the errors of that form alone."""
    listed = "choices" in value if isinstance(value, dict) else isinstance(value, Options)
    return "<options>" if listed else "<interval>"


Range = Annotated[
    Annotated[Interval, Tag("<interval>")] | Annotated[Options, Tag("<options>")], Discriminator(_form)
]  # fmt: skip
Space = dict[str, Range]


def active_keys(space: Mapping[str, Interval | Options], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the space that are searched, given the `values` of those before; the caller adds each value."""
    for key, bounds in space.items():
        conditions = (bounds.when or {}).items()
        if all(other in values and values[other] in accepted for other, accepted in conditions):
            yield key


def contains(bounds: Interval | Options, value: Any) -> bool:
    """Return whether a value may be tried."""
    if isinstance(bounds, Options):
        return value in bounds.choices
    return isinstance(value, int | float) and bounds.low <= value <= bounds.high


def check_space(space: Mapping[str, Interval | Options], finetune: Document, problems: Problems) -> Document:
    """Return the space with its numbers as `finetune` reads them; add an error for each value that this cannot be.

    `finetune` is a valid section of the task, whose other values stay.
    """
    refuse_derived(space, FIXED, problems)
    checked = {}
    for key, bounds in space.items():
        within = problems.within(key)
        if key in FIXED:
            continue
        if key not in FinetuneParams.model_fields:
            allowed = [name for name in FinetuneParams.model_fields if name not in FIXED]
            problems.add(key, describe_unknown(key, allowed))
            continue
        _check_condition(key, bounds, space, within)
        if isinstance(bounds, Options):
            read = [_read(finetune, key, value, "choices", within) for value in bounds.choices]
            ends: Document = {"choices": [value for value in read if value is not _WRONG]}
        else:
            ends = {name: _read(finetune, key, getattr(bounds, name), name, within) for name in ("low", "high")}
        checked[key] = {**bounds.model_dump(mode="json"), **ends}
    return checked


_WRONG = object()


def _read(finetune: Document, key: str, value: Scalar, place: str, problems: Problems) -> Any:
    """Return a value of a key as its section reads it; if it may not have it, add that under `place`."""
    section = check_section(
        FinetuneParams, {**finetune, key: value}, problems.within("", {key: problems.locate(place)})
    )
    return section[key] if section else _WRONG


def _check_condition(
    key: str, bounds: Interval | Options, space: Mapping[str, Interval | Options], problems: Problems
) -> None:
    """Add an error for a condition that names no key before this one, or a value that it cannot have."""
    before = list(space)[: list(space).index(key)]
    for other, accepted in (bounds.when or {}).items():
        if other not in before:
            problems.add(f"when.{other}", describe_unknown(other, before, kind="key of the space above this one"))
            continue
        wrong = [value for value in accepted if not contains(space[other], value)]
        if wrong:
            problems.add(f"when.{other}", f"must be values that the space has for it, found {wrong[0]!r}")
