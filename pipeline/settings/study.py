"""What may stand in the section `study` of params.yaml, and what each stage of the study reads of it.

A cell is one model: an arm on a task with so many labels and one seed. An arm without an encoder is a rival.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from pipeline.settings.fields import Count, FilePath, Name, Section, Seed, Text
from pipeline.settings.task import BaselineParams, ExtractParams, FinetuneParams, ProbeParams

Labels = Annotated[int, Field(ge=2, le=10**9)] | Literal["all"]
Pair = tuple[Name, Name]


class Rival(Section):
    """An arm without an encoder; `baseline` are keys of the section `baseline` that differ for it."""

    title: Text
    baseline: dict[str, Any]


class Arm(Section):
    """An arm that starts from the encoder in a folder below data/; `finetune` are keys of that section that differ.

    `min_steps` are the updates that fine-tuning makes at least; a probe makes none.
    """

    title: Text
    encoder: FilePath
    kind: Literal["probe", "finetune"]
    initial: Literal["pretrained", "random"]
    min_steps: Annotated[int, Field(ge=0, le=10**6)]
    finetune: dict[str, Any]

    @model_validator(mode="after")
    def _has_something_to_show(self) -> Self:
        if self.kind == "probe" and (self.initial == "random" or self.min_steps or self.finetune):
            raise ValueError("a probe trains no encoder: `initial` is pretrained, `min_steps` is 0, `finetune` is {}")
        return self


class Study(Section):
    """The whole section, as it is written."""

    tasks: Annotated[tuple[Name, ...], Field(min_length=1)]
    labels: Annotated[tuple[Labels, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    finetune: dict[str, Any]
    rivals: dict[Name, Rival]
    arms: Annotated[dict[Name, Arm], Field(min_length=1)]
    comparisons: tuple[Pair, ...]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100, le=10**6)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        problems = [one for axis in ("tasks", "labels", "seeds") for one in _repeated(axis, getattr(self, axis))]
        problems += [f"`rivals` has {name!r}; allowed: {', '.join(RIVALS)}" for name in {*self.rivals} - {*RIVALS}]
        names = [*self.rivals, *self.arms]
        problems += _repeated("arms and rivals", names)
        problems += _repeated("comparisons", [list(pair) for pair in self.comparisons])
        problems += [
            f"`comparisons` has {list(pair)}; it takes two different names of {', '.join(names)}"
            for pair in self.comparisons
            if len(set(pair)) < 2 or not set(pair) <= set(names)
        ]
        numbers = [one for one in self.labels if one != "all"]
        if numbers != sorted(numbers) or "all" in self.labels[:-1]:
            problems.append(f"`labels` must rise, `all` last; found {list(self.labels)}")
        cells = [name for name, _ in [*cells_of(self, self.rivals), *cells_of(self, self.arms)]]
        problems += _repeated("the cells TASK-ARM-LABELS-SEED", cells)
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Cell(NamedTuple):
    """Which model of the study."""

    task: str
    arm: str
    labels: int | str
    seed: int


class RivalParams(Section):
    """A cell of an arm without an encoder; `baseline` is None where nothing is fitted."""

    task: Name
    arm: Name
    labels: Labels
    seed: Seed
    baseline: BaselineParams | None


class StartParams(Section):
    """What of an encoder an arm starts from: all of it, or its shape and tokenizer alone."""

    arm: Name
    initial: Literal["pretrained", "random"]


class StudyParams(Section):
    """A cell of an arm with an encoder: `finetune`, or `extract` and `probe`, say what is trained."""

    task: Name
    arm: Name
    labels: Labels
    seed: Seed
    initial: Literal["pretrained", "random"]
    max_length: Annotated[int, Field(ge=4, le=8192)]
    min_steps: Annotated[int, Field(ge=0, le=10**6)]
    extract: ExtractParams | None
    probe: ProbeParams | None
    finetune: FinetuneParams | None


class TransferParams(Section):
    """What the cells are joined to: by task, arm (name and title), labels and seed."""

    tasks: tuple[Name, ...]
    arms: dict[Name, Text]
    encoders: dict[Name, Text]
    labels: tuple[Labels, ...]
    seeds: tuple[Seed, ...]
    comparisons: tuple[Pair, ...]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Count


RIVALS = ("majority", "tfidf")


def cells_of(study: Study | TransferParams, arms: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    """Yield the cells of some arms by their name, `TASK-ARM-LABELS-SEED`, as DVC names those of a matrix."""
    for cell in product(study.tasks, arms, study.labels, study.seeds):
        yield "-".join(map(str, cell)), Cell(*cell)


def _repeated(what: str, names: Sequence[Any]) -> list[str]:
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    return [f"`{what}` has {twice[0]!r} twice"] if twice else []
