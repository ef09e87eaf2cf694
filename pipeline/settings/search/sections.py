"""The section `search` as written, and the sections that the stages of a search read."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.core.document import Strict
from pipeline.settings.fields import FilePath, Name, Seed, Text
from pipeline.settings.search.space import Space

START = "start"  # what the first round comes after
TRIALS = "trials"  # what the first rung of a round comes after
CANDIDATES = ("default", "first", "second", "third")  # the models that are trained again, as dvc.yaml lists them
Index = Annotated[int, Field(ge=0, le=9999)]


class Searched(Strict):
    """A task that is searched: the folder of its encoder, and the keys of the space that differ for it.

    `default` are the values that the task had before it adopted those of a search, which stay what candidates are
    compared with.
    """

    encoder: FilePath
    space: dict[str, Any]
    default: dict[str, Any] = Field(default_factory=dict)


class Round(Strict):
    """A round of trials and the one before it, whose folder its proposals are made from."""

    round: Index
    after: Index | Literal["start"]


class Rung(Strict):
    """A comparison of the trials of a round: the rung before it, and the share of their updates made by then."""

    rung: Index
    after: Index | Literal["trials"]
    at: Annotated[float, Field(gt=0, lt=1)]


class Halving(Strict):
    """The rungs of a round, of profiles/halving; at each the best `share` of the trials goes on."""

    share: Annotated[float, Field(gt=0, lt=1)]
    rungs: Annotated[tuple[Rung, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_rungs(self) -> Self:
        chain = [(index, index - 1 if index else TRIALS) for index in range(len(self.rungs))]
        if [(item.rung, item.after) for item in self.rungs] != chain:
            raise ValueError("`rungs` must count from 0, each after the one before it, the first after `trials`")
        if any(item.at >= other.at for item, other in pairwise(self.rungs)):
            raise ValueError(f"`at` must rise from rung to rung, found {[item.at for item in self.rungs]}")
        return self


class Search(Strict):
    """The whole section, as written; all its tasks are of one kind, and the space is checked for each."""

    kind: Name
    tasks: Annotated[dict[Name, Searched], Field(min_length=1)]
    space: dict[str, Any]
    rounds: Annotated[tuple[Round, ...], Field(min_length=1)]
    halving: Halving | None = None
    slots: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    seed: Seed
    confidence: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        chain = [(index, index - 1 if index else START) for index in range(len(self.rounds))]
        if [(item.round, item.after) for item in self.rounds] != chain:
            raise ValueError("`rounds` must count from 0, each after the one before it, the first after `start`")
        for name, values in (("slots", self.slots), ("seeds", self.seeds)):
            if len(set(values)) < len(values):
                raise ValueError(f"`{name}` must not repeat, found {list(values)}")
        return self

    @property
    def parts(self) -> list[float]:
        """The share of its updates that a trial has made at the end of each of its parts; the last is 1."""
        return [*(rung.at for rung in self.halving.rungs), 1.0] if self.halving else [1.0]


class WithholdParams(Strict):
    """The task whose test split is withheld from its trials."""

    task: Name


class SpaceParams(Strict):
    """What turns scores into proposals: the space, whether less is better, slots and rungs of a round, and a seed."""

    task: Name
    space: Space
    lower: bool
    slots: tuple[int, ...]
    rungs: Annotated[int, Field(ge=0)]
    seed: Seed


class ProposeParams(SpaceParams):
    """A round of proposals."""

    round: Index


class CandidateParams(Strict):
    """A training with other values; `finetune` is the default section without the keys that each proposal has."""

    task: Name
    finetune: dict[str, Any]


class TrialParams(CandidateParams):
    """A trial, or a part of one that ends when the share `until` of its updates is made."""

    until: Annotated[float, Field(gt=0, le=1)]


class HalveParams(Strict):
    """A comparison of the trials of a round, after which the best `share` of them goes on."""

    task: Name
    lower: bool
    slots: tuple[int, ...]
    share: Annotated[float, Field(gt=0, lt=1)]


class ConfirmParams(CandidateParams):
    """A training of a candidate with another seed than the trials'."""

    seed: Seed


class FinalistsParams(SpaceParams):
    """The choice of the trials that are trained again; `default` are the values without a search."""

    rounds: Annotated[int, Field(ge=1)]
    default: dict[str, Any]


class SearchParams(FinalistsParams):
    """The whole search of a task, concluded from its results; `metric` is what the scores are."""

    metric: Text
    seeds: tuple[Seed, ...]
    confidence: Annotated[float, Field(gt=0, lt=1)]


SEARCH_STAGES = ("withhold", "propose", "trial", "halve", "rung", "finalists", "confirm", "search")
