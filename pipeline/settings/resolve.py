"""All of params.yaml, checked and resolved to the section that each stage of each task reads."""

from collections.abc import Mapping
from typing import TypeAlias

from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.settings.corrections import Correction
from pipeline.settings.parse import parse_params, submap
from pipeline.settings.pretrain import CorpusParams, PretrainParams, TextParams
from pipeline.settings.problems import Problems, describe_unknown
from pipeline.settings.production import resolve_export
from pipeline.settings.search.resolution import resolve_search
from pipeline.settings.section import (
    check_encoder,
    check_keys,
    check_name,
    check_section,
    check_text_keys,
    merge,
    refuse_derived,
    require_map,
)
from pipeline.settings.shared.kind import Settings
from pipeline.settings.shared.tasks import check_kinds, check_tasks, resolve_task
from pipeline.settings.shared.texts import PAIR
from pipeline.settings.sources import resolve_sources
from pipeline.settings.study import resolve_study
from pipeline.settings.task import PER_TASK, ReportParams, Trackers, describe_tasks

TOP_LEVEL = (
    "fetch",
    *PER_TASK,
    "kinds",
    "corpus",
    "pretrain",
    "study",
    "export",
    "search",
    "report",
    "track",
    "sources",
    "encoders",
    "tasks",
)


Corrections: TypeAlias = Mapping[str, Mapping[str, Correction]]


def resolve_params(
    text: str,
    kinds: Mapping[str, Settings],
    profiles: Mapping[str, Document],
    corrections: Corrections | None = None,
) -> Document:
    """Return the sections of a whole params.yaml as the stages read them.

    `{stage: {name: section}}` for stages that run once for each source, task, encoder, arm, cell or tracker: `fetch`,
    the stages of a task, `pretrain`, `start`, `rival`, `study` and `track`; `{stage: section}` for `corpus`, `transfer`
    and `report`; `kinds` has the kind of each task. The sections of pretraining and of the study are there only if
    `corpus`, `encoders` and `study` are.

    A task's section has the keys of the stage's section that its kind knows, in their place those of `kinds.KIND`, in
    the place of both the task's own; `task` with its name, and what comes from elsewhere: for `ingest`, `corrected`
    with the corrections of its file (`corrections` is by file and by id; None leaves them out), for `validate`,
    `reference` with its profile (None if `profiles` has none), for `finetune` its `kind`, for `inspect` the keys of its
    `baseline` and how `validate` tells near duplicates. `kinds` are the settings of each kind by name.

    Raises:
        UsageError: Anything is wrong; the message lists every error with its line and the nearest valid key.
    """
    raw, lines = parse_params(text)
    problems = Problems()
    check_text_keys(raw, problems)
    check_keys([key for key in raw if key != "encoder"], TOP_LEVEL, problems)
    check_kinds(raw, kinds, problems)
    resolved: Document = {"fetch": resolve_sources(raw, problems)}
    tasks = dict(check_tasks(raw, tuple(kinds), problems))
    resolved["kinds"] = {task: str(own.get("kind")) for task, own in tasks.items()}
    resolved |= {stage: {task: {} for task in tasks} for stage in PER_TASK}
    for task, own in tasks.items():
        if resolved["kinds"][task] not in kinds:  # that is the error
            continue
        sections = resolve_task(raw, task, own, kinds, profiles.get(task), problems)
        for stage in PER_TASK:
            resolved[stage][task] = sections[stage]
        if corrections is not None:
            _add_corrections(resolved["ingest"][task], corrections, problems.within(f"tasks.{task}.ingest"))
    resolved |= _resolve_profile(raw, resolved, kinds, problems)
    covered = {
        "tasks": [*tasks],
        "kinds": {task: kind for task, kind in resolved["kinds"].items() if kind in kinds},
        "encoders": [*resolved.get("pretrain", ())],
        "cards": {task: card for task, card in resolved["card"].items() if card},
    }
    report = require_map(raw, "report", problems)
    refuse_derived(report, covered, problems.within("report"))
    resolved["report"] = check_section(ReportParams, {**report, **covered}, problems.within("report"))
    encoders = {task: own.get("encoder") for task, own in tasks.items()}
    trackers = check_section(Trackers, {"track": raw.get("track")}, problems).get("track", ())
    resolved["track"] = {tracker: describe_tasks(tracker, resolved, encoders) for tracker in trackers}
    if problems.errors:
        raise UsageError(f"params.yaml has {len(problems.errors)} error(s):\n{problems.listing(lines)}")
    return resolved


def _resolve_profile(raw: Document, resolved: Document, kinds: Mapping[str, Settings], problems: Problems) -> Document:
    """Return the sections of pretraining, the study, production and a search, each if params.yaml has it."""
    sections: Document = {}
    if raw.get("corpus") is not None or raw.get("encoders"):
        # That a kind is unknown is an error of its own.
        texts = {task: kinds[of].texts if of in kinds else ("text",) for task, of in resolved["kinds"].items()}
        texts |= {task: (*own, PAIR) for task, own in texts.items() if resolved["ingest"][task].get("pair") is not None}
        sections["corpus"] = _resolve_corpus(raw, texts, problems)
    if raw.get("encoders") is not None:
        sections["pretrain"] = _resolve_encoders(raw, problems)
    if raw.get("study") is not None:
        sections |= resolve_study(raw, resolved, kinds, problems)
    if raw.get("export") is not None:
        sections["export"] = resolve_export(raw, resolved, problems)
    if raw.get("search") is not None:
        sections |= resolve_search(raw, resolved, kinds, problems)
    return sections


def _add_corrections(ingest: Document, corrections: Corrections, problems: Problems) -> None:
    """Add the corrections of a task's file to its section; an error if there is no such file."""
    name = ingest.get("corrections")
    if name is None:
        return
    if name not in corrections:
        problems.add("corrections", describe_unknown(name, tuple(corrections), kind="file below data/corrections"))
        return
    ingest["corrected"] = {identity: item.model_dump() for identity, item in corrections[name].items()}


def _resolve_corpus(raw: Document, columns: Mapping[str, tuple[str, ...]], problems: Problems) -> Document:
    """Return the section of the corpus: each of its texts takes the keys it lacks from the section itself.

    `columns` are those of each task that hold texts.
    """
    common = dict(require_map(raw, "corpus", problems))
    within = problems.within("corpus")
    texts = common.pop("texts", {})
    shared = {name: common.pop(name) for name in TextParams.model_fields if name in common}
    if not isinstance(texts, dict):
        within.add("texts", f"must be a map from names to files, found {texts!r}")
        texts = {}
    resolved = {}
    for name, own in texts.items():
        at = f"corpus.texts.{name}"
        check_name(name, problems.within(at))
        if not isinstance(own, dict):
            problems.add(at, f"must be a map with `file`, found {own!r}")
            continue
        values, places = merge(("corpus", shared), (at, own))
        resolved[name] = check_section(TextParams, values, problems.within(at, places))
    tasks = tuple(task for task, own in columns.items() if "text" in own)
    named = common.get("tasks")
    for task in named if isinstance(named, list) else ():
        if task not in tasks:
            within.add("tasks", describe_unknown(str(task), tasks, kind="task"))
    refuse_derived(common, ("protected",), within)
    values = {
        **common,
        "texts": resolved if all(resolved.values()) else {},
        "protected": {task: list(own) for task, own in columns.items()},
    }
    return check_section(CorpusParams, values, within)


def _resolve_encoders(raw: Document, problems: Problems) -> Document:
    """Return the section of each encoder: its own keys in place of those of `pretrain`."""
    common, resolved = require_map(raw, "pretrain", problems), {}
    encoders = {} if raw.get("encoders") == {} else require_map(raw, "encoders", problems)  # {}: none are wanted
    for name, own in encoders.items():
        at = f"encoders.{name}"
        check_name(name, problems.within(at))
        if not isinstance(own, dict):
            problems.add(at, f"must be a map with `base` and what differs from `pretrain`, found {own!r}")
            continue
        check_encoder(own.get("base"), f"{at}.base", raw, problems)
        values, places = merge(("pretrain", common), (at, own))
        within = problems.within(at, places)
        refuse_derived(values, ("encoder",), within)
        resolved[name] = check_section(PretrainParams, {**values, "encoder": name}, within)
    _check_bases({f"encoder/{name}": str(submap(encoders, name).get("base")) for name in encoders}, problems)
    return resolved


def _check_bases(bases: Mapping[str, str], problems: Problems) -> None:
    """Add an error for each circle of encoders that start from one another; `bases` are by the encoder's folder."""
    checked: set[str] = set()
    for start in bases:
        trail: list[str] = []
        folder = start
        while folder in bases and folder not in (*checked, *trail):
            trail.append(folder)
            folder = bases[folder]
        if folder in trail:
            circle = " -> ".join(map(repr, [*trail[trail.index(folder) :], folder]))
            name = f"encoders.{folder.removeprefix('encoder/')}.base"
            problems.add(name, f"an encoder cannot start from itself, found {circle}; name another")
        checked |= {*trail}
