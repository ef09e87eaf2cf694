"""The sections of the stages of a search, resolved from the section as written and from those of its tasks."""

import json
from collections.abc import Iterator, Mapping
from itertools import product

from pipeline.core.document import Document
from pipeline.settings.problems import Problems, describe_unknown
from pipeline.settings.search.sections import CANDIDATES, SEARCH_STAGES, Search
from pipeline.settings.search.space import Space, active_keys, check_space
from pipeline.settings.section import check_keys, check_section, require_map
from pipeline.settings.shared.classes import ClassifierParams
from pipeline.settings.shared.kind import Settings

_OWN_TASK = "Define a task for each value of `{}`, and list them all in `search.tasks`"


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
    ranked = {"task": task, "lower": lower, "slots": list(search.slots)}
    proposed = {**ranked, "space": bounds, "rungs": len(search.parts) - 1, "seed": search.seed}
    trained = {"task": task, "finetune": {key: value for key, value in finetune.items() if _is_kept(key, space)}}
    concluded = {**proposed, "rounds": len(search.rounds), "default": _default_values(space, finetune)}
    yield "withhold", task, {"task": task}
    for index in range(len(search.rounds)):
        yield "propose", f"{task}-round{index}", {**proposed, "round": index}
        for slot in search.slots:
            yield "trial", f"{task}-round{index}-{slot}", {**trained, "until": search.parts[0]}
        yield from _sections_of_rungs(f"{task}-round{index}", search, ranked, trained)
    yield "finalists", task, concluded
    for candidate, seed in product(CANDIDATES, search.seeds):
        yield "confirm", f"{task}-{candidate}-{seed}", {**trained, "seed": seed}
    shown = {"metric": finetune["metric"], "seeds": list(search.seeds), "confidence": search.confidence}
    yield "search", task, {**concluded, **shown}


def _sections_of_rungs(
    name: str, search: Search, ranked: Document, trained: Document
) -> Iterator[tuple[str, str, Document]]:
    """Yield stage, name and section of each stage of the rungs of a round with this name."""
    for rung, until in enumerate(search.parts[1:]):
        assert search.halving  # noqa: S101 - else there is one part
        yield "halve", f"{name}-rung{rung}", {**ranked, "share": search.halving.share}
        for slot in search.slots:
            yield "rung", f"{name}-rung{rung}-{slot}", {**trained, "until": until}


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
    return check_space(_refuse_shared(values, settings, within), finetune, settings.sections["finetune"], within)


def _refuse_shared(space: Document, settings: Settings, problems: Problems) -> Document:
    """Return the keys that trials may differ in; add an error for those of what they all start from.

    A stage of DVC can depend neither on a list of encoders nor on tokens that a proposal names; a task of its own can.
    """
    finetune, tokenize = (settings.sections[name].model_fields.keys() for name in ("finetune", "tokenize"))
    for key in space:
        if key == "encoder":
            problems.add(key, f"all trials start from one encoder. {_OWN_TASK.format('encoder')}")
        elif key in tokenize - finetune:
            own = _OWN_TASK.format(f"tokenize.{key}")
            problems.add(key, f"is a key of `tokenize`, and all trials share one file of tokens. {own}")
    return {key: values for key, values in space.items() if key not in {"encoder", *(tokenize - finetune)}}


def _written_space(task: str, search: Search) -> Document:
    """Return the common keys of the space and those of a task in their place, without those it has null for."""
    return {key: value for key, value in {**search.space, **search.tasks[task].space}.items() if value is not None}
