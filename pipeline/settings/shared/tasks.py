"""The tasks of params.yaml: each section out of that of its stage, that of the task's kind, and the task's own."""

from collections.abc import Iterator, Mapping

from pipeline.core.document import Document
from pipeline.settings.parse import submap
from pipeline.settings.problems import Problems, describe_unknown
from pipeline.settings.section import (
    check_encoder,
    check_keys,
    check_name,
    check_part,
    check_section,
    merge,
    refuse_derived,
    require_map,
)
from pipeline.settings.shared.kind import Settings
from pipeline.settings.task import PER_TASK


def check_kinds(raw: Document, kinds: Mapping[str, Settings], problems: Problems) -> None:
    """Add an error for each key of `kinds` that is unknown, and for each value that its key cannot have."""
    if raw.get("kinds") is None:
        return
    given, within = require_map(raw, "kinds", problems), problems.within("kinds")
    check_keys(given, tuple(kinds), within)
    for kind in given.keys() & kinds.keys():
        check_keys(require_map(given, kind, within), PER_TASK, within.within(kind))
        for stage in submap(given, kind).keys() & {*PER_TASK}:
            own = require_map(given[kind], stage, within.within(kind))
            check_part(kinds[kind].sections[stage], own, within.within(f"{kind}.{stage}"))


def check_tasks(raw: Document, kinds: tuple[str, ...], problems: Problems) -> Iterator[tuple[str, Document]]:
    """Yield the tasks of valid name with their own keys."""
    if "encoder" in raw:
        problems.add("encoder", _describe_move("encoder", raw["encoder"], submap(raw, "tasks")))
    tasks = require_map(raw, "tasks", problems)
    if tasks and not any("kind" in own for own in tasks.values() if isinstance(own, dict)):
        problems.add("tasks", _describe_move("kind", kinds[0], tasks))
    for task, own in tasks.items():
        within = problems.within(f"tasks.{task}")
        if not isinstance(own, dict):
            within.add("", f"must be a map from stages to parameters, found {own!r}")
        elif check_name(task, within):
            check_keys(own, ("kind", "encoder", *PER_TASK), within)
            if own.get("kind") not in kinds and "tasks" not in problems.errors:
                named = own.get("kind")
                what = describe_unknown(str(named), kinds, kind="kind of task")
                within.add("kind", what if named is not None else f"is missing; add it, one of {', '.join(kinds)}")
            if "encoder" not in raw:  # else that is the error
                check_encoder(own.get("encoder"), f"tasks.{task}.encoder", raw, problems)
            yield task, own


def _describe_move(key: str, value: object, tasks: Document) -> str:
    """Return the error of a params.yaml of old, whose tasks did not say this, with the lines to write."""
    lines = ["tasks:", *(line for task in tasks for line in (f"  {task}:", f"    {key}: {value}"))]
    what = "each task names its own; remove this line, and write instead:"
    if key == "kind":
        what = "each task names its kind now; add these lines:"
    return "\n    ".join([what, *lines])


def resolve_task(
    raw: Document,
    task: str,
    own: Document,
    kinds: Mapping[str, Settings],
    profile: Document | None,
    problems: Problems,
) -> dict[str, Document]:
    """Return the sections of a task by stage; {} for one with errors."""
    kind = str(own["kind"])
    further: dict[str, Document] = {
        "ingest": {"corrected": {}},
        "validate": {"reference": profile},
        "finetune": {"kind": kind},
    }
    sections: dict[str, Document] = {}
    for stage in PER_TASK:
        if stage == "inspect":
            taken = _list_taken_over(kinds[kind])
            if not all(sections[section] for section in {"baseline", *taken.values()}):
                sections[stage] = {}  # their errors are reported already
                continue
            further[stage] = {key: sections[section][key] for key, section in taken.items()}
        model = kinds[kind].sections[stage]
        if "pairs" in model.model_fields:
            further[stage]["pairs"] = sections["ingest"].get("pair") is not None
        values, places = _merge_task(raw, stage, task, own, kinds, problems)
        within = problems.within(f"tasks.{task}.{stage}", places)
        derived = ("task", *further.get(stage, ()))
        refuse_derived(values, derived, within, _list_taken_over(kinds[kind]) if stage == "inspect" else None)
        sections[stage] = check_section(model, {**values, "task": task, **further.get(stage, {})}, within)
    kinds[kind].check(sections, problems.within(f"tasks.{task}"))
    return sections


def _merge_task(
    raw: Document, stage: str, task: str, task_values: Document, kinds: Mapping[str, Settings], problems: Problems
) -> tuple[Document, dict[str, str]]:
    """Return the values of a task's section, and where each key stands or is missing.

    Of the stage's section those that only other kinds have are left out.
    """
    at, kind = f"tasks.{task}.{stage}", str(task_values["kind"])
    own = task_values.get(stage, {})
    if not isinstance(own, dict):
        problems.add(at, f"must be a map of {stage} parameters, found {own!r}")
        own = {}
    values, places = merge(*list_layers(raw, stage, kind, kinds, problems), (at, own))
    missing = {key: f"{stage}.{key}" for key in kinds[kind].sections[stage].model_fields if key != "file"}
    return values, {**missing, **places}


def _list_taken_over(kind: Settings) -> dict[str, str]:
    """Return the keys of `inspect` that are those of other sections, with these sections."""
    fields = kind.sections["inspect"].model_fields
    taken = {key: "baseline" for key in kind.sections["baseline"].model_fields if key != "task"}
    taken |= dict.fromkeys(("near_similarity", "near_shingle"), "validate")
    return {key: section for key, section in taken.items() if key in fields}


def list_layers(
    raw: Document, stage: str, kind: str, kinds: Mapping[str, Settings], problems: Problems
) -> tuple[tuple[str, Document], tuple[str, Document]]:
    """Return the section of a stage without the keys that only other kinds have, and that of the kind, for `merge`."""
    special = submap(submap(submap(raw, "kinds"), kind), stage)
    common = {} if special and raw.get(stage) is None else require_map(raw, stage, problems)
    others = {key for settings in kinds.values() for key in settings.sections[stage].model_fields}
    foreign = others - set(kinds[kind].sections[stage].model_fields)
    return (stage, {key: value for key, value in common.items() if key not in foreign}), (
        f"kinds.{kind}.{stage}",
        special,
    )
