"""The sections of the study's stages: what each cell is trained by."""

import json
from typing import Any

from pipeline.settings.fields import Section
from pipeline.settings.section import Raw, check_encoder, mapped, section, unknown
from pipeline.settings.study import RivalParams, Study, StudyParams, TransferParams, cells_of
from pipeline.settings.task import ProbeParams

# What of `finetune` keeps weights as they are, and the value with which all of them learn.
LEARNING: Raw = {"freeze_embeddings": False, "freeze_layers": 0, "lora": None}


def study_sections(raw: Raw, resolved: Raw, problems: dict[str, str]) -> Raw:
    """Return the sections of the study's stages: `rival` and `study` by cell, `start` by arm, `transfer` as a whole."""
    found = section(Study, mapped(raw, "study", problems), lambda key: f"study.{key}".rstrip("."), problems)
    if not found:
        return {}
    study = Study.model_validate_json(json.dumps(found))
    if strange := [task for task in study.tasks if task not in resolved["ingest"]]:
        problems["study.tasks"] = unknown(strange[0], tuple(resolved["ingest"]), what="task")
        return {}
    for name, arm in study.arms.items():
        check_encoder(arm.encoder, f"study.arms.{name}.encoder", raw, problems)
        if arm.initial == "random":
            kept = {**mapped(raw, "finetune", problems), **study.finetune, **arm.finetune}
            _check_random(kept, f"study.arms.{name}.finetune", problems)

    def of_cell(model: type[Section], cell: Any, **values: Any) -> Raw:
        group = "rivals" if cell.arm in study.rivals else "arms"
        place = f"study.{group}.{cell.arm}"
        return section(model, {**cell._asdict(), **values}, lambda key: f"{place}.{key}".rstrip("."), problems)

    def baseline(cell: Any) -> Raw | None:
        own = {**resolved["baseline"][cell.task], **study.rivals[cell.arm].baseline}
        return own if cell.arm == "tfidf" else None

    def trained(cell: Any) -> Raw:
        arm, common = study.arms[cell.arm], mapped(raw, "finetune", problems)
        own = {**common, **study.finetune, **arm.finetune, "task": cell.task, "seed": cell.seed}
        probed = arm.kind == "probe"
        strengths = {key: resolved["baseline"][cell.task].get(key) for key in ProbeParams.model_fields}
        return {
            "initial": arm.initial,
            "max_length": resolved["tokenize"][cell.task].get("max_length"),
            "min_steps": arm.min_steps,
            "extract": resolved["extract"][cell.task] if probed else None,
            "probe": strengths if probed else None,
            "finetune": None if probed else own,
        }

    return {
        "rival": {
            name: of_cell(RivalParams, cell, baseline=baseline(cell)) for name, cell in cells_of(study, study.rivals)
        },
        "start": {name: {"arm": name, "initial": arm.initial} for name, arm in study.arms.items()},
        "study": {name: of_cell(StudyParams, cell, **trained(cell)) for name, cell in cells_of(study, study.arms)},
        "transfer": {
            **{key: found[key] for key in TransferParams.model_fields if key in found},
            "arms": {name: arm["title"] for name, arm in {**found["rivals"], **found["arms"]}.items()},
            "encoders": {name: arm.encoder for name, arm in study.arms.items()},
        },
    }


def _check_random(finetune: Raw, path: str, problems: dict[str, str]) -> None:
    """Find random weights that would never learn."""
    for key, learning in LEARNING.items():
        if finetune.get(key, learning) != learning:
            problems.setdefault(
                f"{path}.{key}",
                f"found {finetune[key]!r}, and `initial` is random: weights that never learn would stay random; "
                f"set {json.dumps(learning)}",
            )
