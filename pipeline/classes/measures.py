"""The measures of class probabilities: an answer is a list of them, one a class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.calibration.temperature import apply_temperature
from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.tables import class_indices, class_names, describe, labels_of, task_of
from pipeline.evaluate.align import to_matrix
from pipeline.evaluate.kind import Metric, Right
from pipeline.evaluate.metrics import (
    Floats,
    ScoredClasses,
    accuracy,
    calibration,
    confusion_matrix,
    has_one_class,
    macro_f1,
    score_predictions,
)
from pipeline.evaluate.slices import Slice

METRICS = (
    Metric("accuracy", "accuracy", 1, "share"),
    Metric(
        "macro_f1", "macro-F1", 1, "share", undefined="all rows are of one class, and a mean over classes needs two"
    ),
    Metric("log_loss", "log loss", -1, "nats", compared=False),
    Metric("brier", "Brier score", -1, "number", compared=False),
    Metric("ece", "calibration error", -1, "number", compared=False),
)
RIGHT_CLASSES = Right("accuracy", lambda scored: scored.right, lambda scored: scored.confidence)
UNCALIBRATED = "uncalibrated"


def tabulate_classes(examples: pa.Table, answers: pa.Array | pa.ChunkedArray, _: Document) -> pa.Table:
    """Return one row an example: its id, class index, predicted index and probabilities, (N, C) float64.

    The task and the classes are those of the examples. The predicted class is the first of the most probable.

    Raises:
        DataError: An answer has another number of classes.
    """
    labels = labels_of(examples)
    probabilities = to_matrix(answers, classes=len(labels), what="predictions")
    columns = {
        "id": examples["id"].to_pylist(),
        "label": class_indices(examples),
        "predicted": probabilities.argmax(axis=1),
        "probabilities": list(probabilities),
    }
    return describe(pa.table(columns), task=task_of(examples), labels=labels)


def score_classes(truths: pa.Table, answers: pa.Table, params: Any) -> ScoredClasses:
    """Return the scored examples of predictions; classes that only the answers know come after those of the truths.

    Raises:
        DataError: An older version wrote a table, there is no row, or the probabilities of a row are no distribution.
    """
    known, own = labels_of(truths), labels_of(answers)
    _require_class_indices(truths)
    labels = (*known, *(label for label in own if label not in known))
    probabilities = to_matrix(answers["probabilities"], classes=len(own), what="predictions").astype(np.float64)
    return score_predictions(class_indices(truths), _widen(probabilities, own, labels), bins=params.bins)


def compute_class_metrics(scored: ScoredClasses, weights: Floats) -> Floats:
    """Return `METRICS`, (5,), of examples that count `weights` times, (N,) >= 0, sum > 0.

    accuracy and macro_f1 in [0, 1]; log_loss, mean nats; brier, the mean squared distance over all classes, in [0, 2]
    (so with two classes twice the score of one probability); ece in [0, 1], the expected calibration error of the
    predicted class: the mean over examples of their bin's |confidence - accuracy|. Macro-F1 is NaN if all examples are
    of one class, whatever they weigh.

    Source: Brier (1950), Monthly Weather Review 78(1), equation 2; Guo et al. (2017), arXiv 1706.04599, equation 3.
    """
    matrix = confusion_matrix(scored.actual, scored.predicted, scored.classes, weights)
    gaps = np.abs(np.bincount(scored.bins, weights * (scored.confidence - scored.right)))
    # numpy's own sums and not dot products, whose last bits depend on the number of threads
    sums = np.array((np.sum(weights * scored.losses), np.sum(weights * scored.squares), np.sum(gaps)))
    f1 = np.nan if has_one_class(scored) else macro_f1(matrix)
    return np.array((accuracy(matrix), f1, *(sums / np.sum(weights))))


def group_by_class(predictions: pa.Table) -> list[Slice]:
    """Return the examples of each class that has any."""
    actual = class_indices(predictions)
    classes = [Slice("class", label, np.flatnonzero(actual == at)) for at, label in enumerate(labels_of(predictions))]
    return [part for part in classes if len(part.rows)]


def name_actual(table: pa.Table) -> list[str]:
    """Return the name of the class of each row of examples or predictions.

    Raises:
        DataError: An older version wrote the table, or a value is not the index of a class.
    """
    _require_class_indices(table)
    return class_names(table)


def name_predicted(predictions: pa.Table) -> list[str]:
    """Return the name of the class predicted for each row."""
    return class_names(predictions, "predicted")


def undo_temperature(predictions: pa.Table, kept: Document) -> dict[str, pa.Array]:
    """Return the answers without the model's temperature, with which they are compared."""
    probabilities = to_matrix(predictions["probabilities"], classes=len(labels_of(predictions)), what="predictions")
    before = apply_temperature(probabilities, 1 / kept["temperature"])
    return {UNCALIBRATED: pa.array(list(before), pa.list_(pa.float64()))}


def bin_confidence(scored: ScoredClasses, params: Any) -> list[Document]:
    """Return the calibration bins that hold an example."""
    return [row for row in calibration(scored, bins=params.bins) if row["count"]]


def _require_class_indices(table: pa.Table) -> None:
    """Refuse the table of an older version, whose classes are names."""
    kind = table["label"].type
    if not pa.types.is_integer(kind):
        raise DataError(f"an older version wrote them (`label` holds {kind}, not class indices)")


def _widen(probabilities: npt.NDArray[np.float64], own: Sequence[str], labels: Sequence[str]) -> Floats:
    """Return probabilities with a column for each of `labels`; 0 for a class that the model does not know."""
    if tuple(own) == tuple(labels):
        return probabilities
    wide = np.zeros((len(probabilities), len(labels)))
    wide[:, [labels.index(label) for label in own]] = probabilities
    return wide
