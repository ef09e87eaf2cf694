"""The details of an evaluation of class probabilities: confusion, calibration, decision, errors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.calibration.counts import count_answers
from pipeline.calibration.decision import PLAIN, Decision
from pipeline.classes.measures import METRICS, UNCALIBRATED
from pipeline.core.document import Document
from pipeline.core.tables import class_indices, labels_of
from pipeline.evaluate.align import to_matrix
from pipeline.evaluate.bootstrap import percentile_interval
from pipeline.evaluate.estimate import share_interval
from pipeline.evaluate.evaluation import MODEL, describe_gap
from pipeline.evaluate.kind import Details, Measured
from pipeline.evaluate.metrics import ScoredClasses, calibration, class_table, confusion_matrix
from pipeline.examples.pairs import whole_texts
from pipeline.examples.records import places_of

_PROBABILISTIC = tuple(metric.name for metric in METRICS if not metric.compared)  # those that a temperature changes
_LOG_LOSS = [metric.name for metric in METRICS].index("log_loss")


def detail_classes(measured: Measured, predictions: pa.Table, kept: Document, params: Any) -> Details:
    """Return confusion, classes and calibration of a model, and how its temperature and its decision do."""
    labels, model = labels_of(predictions), measured.scored[MODEL]
    matrix = confusion_matrix(model.actual, model.predicted, model.classes)
    return Details(
        model={
            "classes": class_table(matrix, labels),
            "confusion": matrix.tolist(),
            "calibration": calibration(model, bins=params.bins),
        },
        whole={
            "calibration": _evaluate_temperature(measured, kept["temperature"], params),
            "decision": _evaluate_decision(params, labels, predictions, Decision(**kept["decision"])),
        },
    )


def list_surest_errors(scored: ScoredClasses, examples: pa.Table, predictions: pa.Table, params: Any) -> list[Document]:
    """Return the errors the model was surest of, the surest first, equals in the order of the rows."""
    labels, places = labels_of(predictions), places_of(examples)
    wrong = np.flatnonzero(~scored.right)
    order = wrong[np.argsort(-scored.confidence[wrong], kind="stable")][: params.worst]
    texts = whole_texts(examples.take(order))
    return [
        {
            "line": places[row],
            "id": examples["id"][row].as_py(),
            "text": text,
            "label": labels[scored.actual[row]],
            "predicted": labels[scored.predicted[row]],
            "confidence": float(scored.confidence[row]),
        }
        for row, text in zip(order.tolist(), texts, strict=True)
    ]


def _evaluate_temperature(measured: Measured, temperature: float, params: Any) -> Document:
    """Return the metrics of probabilities before and after the temperature, and what it does to the loss."""
    change, gaps = (values[MODEL] - values[UNCALIBRATED] for values in (measured.values, measured.draws))
    loss = percentile_interval(change[_LOG_LOSS], gaps[:, _LOG_LOSS], confidence=params.confidence)
    before, after = (
        {name: measured.estimates[side][name]._asdict() for name in _PROBABILISTIC} for side in (UNCALIBRATED, MODEL)
    )
    return {"temperature": temperature, "before": before, "after": after, "log_loss": describe_gap(loss)}


def _evaluate_decision(
    params: Any, labels: Sequence[str], predictions: pa.Table, decision: Decision
) -> Document | None:
    """Return how the answers of a decision do; None if it is to answer the most probable class always.

    The intervals are Wilson's.
    """
    if decision == PLAIN:
        return None
    probabilities = to_matrix(predictions["probabilities"], classes=len(labels), what="predictions")
    counts = count_answers(probabilities, class_indices(predictions), labels, decision)
    shares = {"coverage": (counts.sure, counts.rows), "accuracy_answered": (counts.right, counts.sure)}
    if decision.favoured is not None:
        shares |= {"precision": (counts.hits, counts.called), "recall": (counts.hits, counts.members)}
    estimates = {name: share_interval(*pair, confidence=params.confidence)._asdict() for name, pair in shares.items()}
    return {**decision._asdict(), **estimates}
