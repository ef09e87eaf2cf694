"""The space of a search: for each key of `finetune` the values that may be tried, and under which condition."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from pipeline.core.document import Document, Strict, json_text
from pipeline.settings.problems import Problems, describe_unknown
from pipeline.settings.section import check_section, refuse_derived

Scalar = bool | int | float | str | None
# Values of other keys, one of which each must have for a key to be searched.
Condition = Annotated[dict[str, Annotated[tuple[Scalar, ...], Field(min_length=1)]], Field(min_length=1)]
FIXED = ("task", "kind", "seed", "metric")  # the score of a trial is that of this metric, and all trials share the seed


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


Range = Interval | Options
Space = dict[str, Range]


def active_keys(space: Mapping[str, Range], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the space that are searched, given the `values` of those before; the caller adds each value."""
    for key, bounds in space.items():
        conditions = (bounds.when or {}).items()
        if all(other in values and values[other] in accepted for other, accepted in conditions):
            yield key


def contains(bounds: Range, value: Any) -> bool:
    """Return whether a value may be tried."""
    if isinstance(bounds, Options):
        return value in bounds.choices
    return isinstance(value, int | float) and bounds.low <= value <= bounds.high


def check_space(written: Mapping[str, Any], finetune: Document, model: type[Strict], problems: Problems) -> Space:
    """Return the space with its numbers as `finetune` reads them; add an error for each value that this cannot be.

    `finetune` is a valid section of the task and `model` its class; its other values stay. A key with an error is left
    out. The order of the keys does not depend on that in which they are written.
    """
    refuse_derived(written, FIXED, problems)
    allowed = [name for name in model.model_fields if name not in FIXED]
    space: Space = {}
    for key, values in written.items():
        if key in FIXED:
            continue
        if key not in allowed:
            problems.add(key, describe_unknown(key, allowed))
        elif not isinstance(values, dict):
            problems.add(key, f"must be a map with `low` and `high`, or with `choices`, found {values!r}")
        elif (checked := _check_range(key, values, finetune, model, problems.within(key))) is not None:
            space[key] = checked
            _check_condition(key, space, list(written), problems.within(key))
    return _sort_keys(space)


def _sort_keys(space: Space) -> Space:
    """Return the keys by name, each after those of its condition: a sampler draws them one after another."""
    keys = list(space)
    above = {key: {*keys[:at]} & {*(space[key].when or {})} for at, key in enumerate(keys)}
    ordered: Space = {}
    while len(ordered) < len(space):
        key = min(key for key in keys if key not in ordered and above[key] <= ordered.keys())
        ordered[key] = space[key]
    return ordered


def _check_range(
    key: str, values: Document, finetune: Document, model: type[Strict], problems: Problems
) -> Range | None:
    """Return the range of a key; None if there are errors, which are added."""
    form = Options if "choices" in values else Interval
    section = check_section(form, values, problems)
    if not section:
        return None
    ends = section["choices"] if "choices" in section else [section["low"], section["high"]]
    places = ["choices"] * len(ends) if "choices" in section else ["low", "high"]
    read = [_read(finetune, model, key, end, place, problems) for end, place in zip(ends, places, strict=True)]
    if not all(read):
        return None
    kept = [end[0] for end in read if end]
    numbers = {"choices": kept} if "choices" in section else dict(zip(places, kept, strict=True))
    checked: Range = form.model_validate_json(json_text({**section, **numbers}))
    return checked


def _read(
    finetune: Document, model: type[Strict], key: str, value: Scalar, place: str, problems: Problems
) -> tuple[Any, ...]:
    """Return a value of a key as its section reads it, alone; if it may not have it, nothing, and add an error."""
    own = problems.within("", {key: problems.locate(place)})
    section = check_section(model, {**finetune, key: value}, own)
    return (section[key],) if section else ()


def _check_condition(key: str, space: Space, written: Sequence[str], problems: Problems) -> None:
    """Add an error for a condition that names no key before this one, or a value that it cannot have."""
    before = written[: written.index(key)]
    for other, accepted in (space[key].when or {}).items():
        if other not in before:
            problems.add(f"when.{other}", describe_unknown(other, before, kind="key of the space above this one"))
            continue
        wrong = [value for value in accepted if other in space and not contains(space[other], value)]
        if wrong:
            problems.add(f"when.{other}", f"must be values that the space has for it, found {wrong[0]!r}")
