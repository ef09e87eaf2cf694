"""The section `search` as written, and the sections that the stages of a search read."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import FilePath, Name, Seed, Text
from pipeline.settings.problems import Problems, describe_unknown
from pipeline.settings.search.space import Space, active_keys, check_space
from pipeline.settings.section import check_keys, check_section, require_map
from pipeline.settings.shared.classes import ClassifierParams
from pipeline.settings.shared.kind import Settings

START = "start"  # what the first round comes after
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


class Search(Strict):
    """The whole section, as written; all its tasks are of one kind, and the space is checked for each."""

    kind: Name
    tasks: Annotated[dict[Name, Searched], Field(min_length=1)]
    space: dict[str, Any]
    rounds: Annotated[tuple[Round, ...], Field(min_length=1)]
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


class WithholdParams(Strict):
    """The task whose test split is withheld from its trials."""

    task: Name


class SpaceParams(Strict):
    """What turns scores into proposals: the space, whether less is better, the slots of a round, and a seed."""

    task: Name
    space: Space
    lower: bool
    slots: tuple[int, ...]
    seed: Seed


class ProposeParams(SpaceParams):
    """A round of proposals."""

    round: Index


class TrialParams(Strict):
    """A trial; `finetune` is the default section without the keys that each proposal has."""

    task: Name
    finetune: dict[str, Any]


class ConfirmParams(TrialParams):
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


SEARCH_STAGES = ("withhold", "propose", "trial", "finalists", "confirm", "search")


def resolve_search(raw: Document, resolved: Document, kinds: Mapping[str, Settings], problems: Problems) -> Document:
    """Return the sections of the stages of a search, by the names that DVC gives the items of their matrices."""
    section = check_section(Search, require_map(raw, "search", problems), problems.within("search"))
    if not section:
        return {}
    search = Search.model_validate_json(json.dumps(section))
    sections: Document = {stage: {} for stage in SEARCH_STAGES}
    searchable = {name: settings for name, settings in kinds.items() if _has_classes(settings)}
    if search.kind not in searchable:
        problems.add("search.kind", describe_unknown(search.kind, tuple(searchable), kind="kind of task with classes"))
        return {}
    for task in search.tasks:
        for stage, name, values in _sections_of(task, search, kinds[search.kind], raw, resolved, problems):
            sections[stage][name] = values
    return sections


def _sections_of(
    task: str, search: Search, settings: Settings, raw: Document, resolved: Document, problems: Problems
) -> Iterator[tuple[str, str, Document]]:
    """Yield stage, name and section of each stage of a task's search; none if there are errors."""
    within = problems.within(f"search.tasks.{task}")
    if task not in resolved["finetune"]:
        within.add("", describe_unknown(task, tuple(resolved["finetune"]), kind="task"))
        return
    if resolved["kinds"][task] != search.kind:
        within.add("", f"must be of the kind {search.kind}, found {resolved['kinds'][task]!r}")
        return
    encoder, finetune = raw["tasks"][task].get("encoder"), _find_default(task, search, resolved, settings, problems)
    if search.tasks[task].encoder != encoder:
        within.add("encoder", f"must be that of `tasks.{task}`, {encoder!r}, found {search.tasks[task].encoder!r}")
    space = _resolve_space(task, search, finetune, settings, problems) if finetune else {}
    if not space:
        return
    if finetune["seed"] in search.seeds:
        problems.add("search.seeds", f"must not hold the seed of the trials of {task}, found {finetune['seed']}")
    lower = finetune["metric"] == "loss"
    bounds = {key: values.model_dump(mode="json") for key, values in space.items()}
    proposed = {"task": task, "space": bounds, "lower": lower, "slots": list(search.slots), "seed": search.seed}
    trained = {"task": task, "finetune": {key: value for key, value in finetune.items() if _is_kept(key, space)}}
    concluded = {**proposed, "rounds": len(search.rounds), "default": _default_values(space, finetune)}
    yield "withhold", task, {"task": task}
    for index in range(len(search.rounds)):
        yield "propose", f"{task}-round{index}", {**proposed, "round": index}
        for slot in search.slots:
            yield "trial", f"{task}-round{index}-{slot}", trained
    yield "finalists", task, concluded
    for candidate, seed in product(CANDIDATES, search.seeds):
        yield "confirm", f"{task}-{candidate}-{seed}", {**trained, "seed": seed}
    shown = {"metric": finetune["metric"], "seeds": list(search.seeds), "confidence": search.confidence}
    yield "search", task, {**concluded, **shown}


def _find_default(task: str, search: Search, resolved: Document, settings: Settings, problems: Problems) -> Document:
    """Return the section `finetune` of a task as it was before the task adopted values of its search; {} if invalid.

    So nothing of the search depends on what came of it.
    """
    finetune, before = resolved["finetune"][task], search.tasks[task].default
    within = problems.within(f"search.tasks.{task}.default")
    check_keys(before, [*_written_space(task, search)], within)
    return check_section(settings.sections["finetune"], {**finetune, **before}, within) if finetune else {}


def _is_kept(key: str, space: Space) -> bool:
    """Return whether a trial may train with the default value of a key: a proposal may lack it."""
    return key not in space or space[key].when is not None


def _default_values(space: Space, finetune: Document) -> Document:
    """Return the default values of the keys that are searched beside them."""
    values: Document = {}
    for key in active_keys(space, values):
        values[key] = finetune[key]
    return values


def _has_classes(settings: Settings) -> bool:
    """Return whether the answers of a kind are classes, which candidates are compared by."""
    return issubclass(settings.sections["finetune"], ClassifierParams)


def _resolve_space(task: str, search: Search, finetune: Document, settings: Settings, problems: Problems) -> Space:
    """Return the space of a task; add an error for each value that a key cannot have."""
    own = search.tasks[task].space
    values = _written_space(task, search)
    within = problems.within("search.space", {key: f"search.tasks.{task}.space.{key}" for key in own})
    if not values:
        within.add("", "must have at least one key, found none")
    return check_space(values, finetune, settings.sections["finetune"], within)


def _written_space(task: str, search: Search) -> Document:
    """Return the common keys of the space and those of a task in their place, without those it has null for."""
    return {key: value for key, value in {**search.space, **search.tasks[task].space}.items() if value is not None}
