"""The decision of a task: thresholds of class probabilities, chosen on validation."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from pipeline.calibration.counts import count_answers, share_of
from pipeline.calibration.decision import PLAIN
from pipeline.calibration.thresholds import fit_decision
from pipeline.core.document import Document
from pipeline.core.files import read_json
from pipeline.core.tables import labels_of
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.settings.production import CalibrateParams


def _predict_texts(model: Path, tokens: pa.Table, split: str) -> tuple[Floats, Ints]:
    from pipeline.finetune.answers import predict_split  # noqa: PLC0415  # seconds that only its users wait for

    return predict_split(model, tokens, split)


def calibrate_classes(
    tokens: pa.Table,
    model: Path,
    params: CalibrateParams,
    *,
    predict: Callable[[Path, pa.Table, str], tuple[Floats, Ints]] = _predict_texts,
) -> Document:
    """Return the classes, temperature and thresholds of a model; without thresholds to choose, nothing is computed.

    `predict(model, tokens, split)` are the class probabilities of the rows of a split, (N, C), and their classes, (N,).
    """
    labels, decision = labels_of(tokens), PLAIN
    numbers: Document | None = None
    if params.abstain or params.favoured:
        probabilities, actual = predict(model, tokens, "validation")
        decision = fit_decision(params, labels, probabilities, actual)
        counts = count_answers(probabilities, actual, labels, decision)
        numbers = {
            "rows": counts.rows,
            "coverage": share_of(counts.sure, counts.rows),
            "accuracy": share_of(counts.right, counts.sure),
            "precision": share_of(counts.hits, counts.called) if params.favoured else None,
            "recall": share_of(counts.hits, counts.members) if params.favoured else None,
        }
    return {
        "labels": labels,
        "temperature": read_json(model / "config.json").get("calibration_temperature", 1.0),
        "decision": decision._asdict(),
        "validation": numbers,
    }
