"""The sections of the study's stages: the parameters of each cell."""

import json

from pipeline.core.document import Document
from pipeline.settings.problems import Problems, describe_unknown
from pipeline.settings.section import check_encoder, check_section, merge, refuse_derived, require_map
from pipeline.settings.study import Cell, RivalParams, Study, StudyParams, TransferParams, list_cells
from pipeline.settings.task import ProbeParams

# Keys of `finetune` that can keep weights as they are, each with the value that lets all weights learn.
_LEARNING: Document = {"freeze_embeddings": False, "freeze_layers": 0, "lora": None}


def resolve_study(raw: Document, resolved: Document, problems: Problems) -> Document:
    """Return the sections of the study's stages: `rival` and `study` by cell, `start` by arm, `transfer` as a whole."""
    section = check_section(Study, require_map(raw, "study", problems), problems.within("study"))
    if not section:
        return {}
    study = Study.model_validate_json(json.dumps(section))
    if unknown := [task for task in study.tasks if task not in resolved["ingest"]]:
        problems.add("study.tasks", describe_unknown(unknown[0], tuple(resolved["ingest"]), kind="task"))
        return {}
    refuse_derived(study.finetune, ("task", "seed"), problems.within("study.finetune"))
    for name, rival in study.rivals.items():
        refuse_derived(rival.baseline, ("task",), problems.within(f"study.rivals.{name}.baseline"))
    for name, arm in study.arms.items():
        refuse_derived(arm.finetune, ("task", "seed"), problems.within(f"study.arms.{name}.finetune"))
        check_encoder(arm.encoder, f"study.arms.{name}.encoder", raw, problems)
        if arm.initial == "random":
            finetune = {**require_map(raw, "finetune", problems), **study.finetune, **arm.finetune}
            _check_random(finetune, problems.within(f"study.arms.{name}.finetune"))
    rivals, arms = list_cells(study, study.rivals), list_cells(study, study.arms)
    return {
        "rival": {name: _resolve_rival(study, cell, resolved, problems) for name, cell in rivals},
        "start": {name: {"arm": name, "initial": arm.initial} for name, arm in study.arms.items()},
        "study": {name: _resolve_arm(study, cell, raw, resolved, problems) for name, cell in arms},
        "transfer": {
            **{key: section[key] for key in TransferParams.model_fields if key in section},
            "arms": {name: arm["title"] for name, arm in {**section["rivals"], **section["arms"]}.items()},
            "encoders": {name: arm.encoder for name, arm in study.arms.items()},
        },
    }


def _resolve_rival(study: Study, cell: Cell, resolved: Document, problems: Problems) -> Document:
    """Return the section of a cell without an encoder; the largest class has no parameters.

    Errors of the task's own sections are reported there, and not once more for each cell.
    """
    if not resolved["baseline"][cell.task]:
        return {}
    baseline = {**resolved["baseline"][cell.task], **study.rivals[cell.arm].baseline}
    values = {**cell._asdict(), "baseline": baseline if cell.arm == "tfidf" else None}
    return check_section(RivalParams, values, problems.within(f"study.rivals.{cell.arm}"))


def _resolve_arm(study: Study, cell: Cell, raw: Document, resolved: Document, problems: Problems) -> Document:
    """Return the section of a cell with an encoder; errors of the task's own sections are reported there alone."""
    if not all(resolved[stage][cell.task] for stage in ("tokenize", "extract", "baseline", "finetune")):
        return {}
    arm, at = study.arms[cell.arm], f"study.arms.{cell.arm}"
    common = require_map(raw, "finetune", problems)
    finetune, places = merge(
        ("finetune", common), ("study.finetune", study.finetune), (f"{at}.finetune", arm.finetune)
    )  # fmt: skip
    strengths = {key: resolved["baseline"][cell.task][key] for key in ProbeParams.model_fields}
    is_probe = arm.kind == "probe"
    values = {
        **cell._asdict(),
        "initial": arm.initial,
        "max_length": resolved["tokenize"][cell.task]["max_length"],
        "min_steps": arm.min_steps,
        "extract": resolved["extract"][cell.task] if is_probe else None,
        "probe": strengths if is_probe else None,
        "finetune": None if is_probe else {**finetune, "task": cell.task, "seed": cell.seed},
    }
    within = problems.within(at, {f"finetune.{key}": place for key, place in places.items()})
    return check_section(StudyParams, values, within)


def _check_random(finetune: Document, problems: Problems) -> None:
    """Add an error for random weights that would never learn, unless the common value has one of its own."""
    for key, learning in _LEARNING.items():
        if finetune.get(key, learning) != learning and f"finetune.{key}" not in problems.errors:
            wrong = f"would keep random weights as they are (`initial` is random), found {finetune[key]!r}"
            problems.add(key, f"{wrong}; set {json.dumps(learning)}")
