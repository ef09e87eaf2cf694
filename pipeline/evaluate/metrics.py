"""Metrics of class probabilities.

They are functions of example weights: with all weights 1 they are the metrics, with the counts of a resample those of
that resample, so a value and its interval cannot follow different formulas.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import DataError, listed

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]

_SMALLEST = float(np.finfo(np.float64).eps)


class ScoredClasses(NamedTuple):
    """N scored examples with C classes, all the metrics need: each array is (N,)."""

    classes: int
    actual: Ints
    predicted: Ints
    confidence: Floats  # probability of the predicted class, (0, 1]
    losses: Floats  # nats, [0, 36.04...]
    squares: Floats  # [0, 2]
    bins: Ints  # calibration bin of `confidence`

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each example is predicted right, (N,)."""
        return np.equal(self.actual, self.predicted)


def score_predictions(actual: Ints, probabilities: Floats, *, bins: int) -> ScoredClasses:
    """Score the predictions of N examples.

    `actual` is (N,) class indices, `probabilities` (N, C) with rows that sum to 1. The predicted class is the most
    probable one, the first of equals. The loss of an example is -ln(p of its class), p clipped to at least 2**-52
    (as scikit-learn does), so at most 36.04; its square is the squared distance between its probabilities and its
    one-hot class. `bins` is the number of calibration bins, see `calibration`.

    Raises:
        DataError: There is no row, or the probabilities of a row are not a distribution.

    Source: Brier (1950), Monthly Weather Review 78(1), equation 2.
    """
    _require_distributions(probabilities)
    rows, classes = probabilities.shape
    confidence = probabilities.max(axis=1)
    return ScoredClasses(
        classes=classes,
        actual=actual,
        predicted=probabilities.argmax(axis=1),
        confidence=confidence,
        losses=np.abs(np.log(probabilities[np.arange(rows), actual].clip(_SMALLEST, 1))),
        squares=((probabilities - np.eye(classes)[actual]) ** 2).sum(axis=1),
        bins=(np.searchsorted(_edges(bins), confidence, side="left") - 1).clip(0, bins - 1),
    )


def has_one_class(data: ScoredClasses) -> bool:
    """Return whether all rows are of the same class."""
    return bool((data.actual == data.actual[0]).all())


def confusion_matrix(actual: Ints, predicted: Ints, classes: int, weights: Floats | None = None) -> npt.NDArray[Any]:
    """Return how often each class (rows) was predicted as each (columns), (C, C); with `weights` (N,), their sums."""
    return np.bincount(actual * classes + predicted, weights, minlength=classes**2).reshape(classes, classes)


def accuracy(matrix: npt.NDArray[Any]) -> float:
    """Return the share of examples on the diagonal of a confusion matrix, in [0, 1]."""
    return float(np.trace(matrix) / matrix.sum())


def macro_f1(matrix: npt.NDArray[Any]) -> float:
    """Return the mean F1 over the classes that are actual or predicted at least once, in [0, 1].

    A class's F1 is 2TP / (2TP + FP + FN); a class that neither occurs nor is predicted has none and is left out, as
    in scikit-learn.
    """
    seen = matrix.sum(axis=0) + matrix.sum(axis=1)
    present = seen > 0
    return float(np.mean(2 * np.diagonal(matrix)[present] / seen[present]))


def class_table(matrix: npt.NDArray[Any], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return each class's precision, recall, F1 and support (rows); an undefined number is None with a `reason`."""
    table = []
    for hits, support, calls, label in zip(np.diagonal(matrix), matrix.sum(1), matrix.sum(0), labels, strict=True):
        reasons = ["no row is of this class"] * (not support) + ["no row was given this class"] * (not calls)
        table.append(
            {
                "label": label,
                "precision": float(hits / calls) if calls else None,
                "recall": float(hits / support) if support else None,
                "f1": float(2 * hits / (support + calls)) if support + calls else None,
                "support": int(support),
                "reason": "; ".join(reasons) or None,
            }
        )
    return table


def calibration(data: ScoredClasses, *, bins: int) -> list[dict[str, float | int | None]]:
    """Return the equal bins (low, high] of confidence over [0, 1]: rows, mean confidence, accuracy; None if empty.

    Source: Guo et al. (2017), arXiv 1706.04599, section 2.
    """
    edges, table = _edges(bins), []
    for at in range(bins):
        inside = data.bins == at
        count = int(inside.sum())
        table.append(
            {
                "low": float(edges[at]),
                "high": float(edges[at + 1]),
                "count": count,
                "confidence": float(data.confidence[inside].mean()) if count else None,
                "accuracy": float(data.right[inside].mean()) if count else None,
            }
        )
    return table


def _edges(bins: int) -> Floats:
    """Return the edges of the calibration bins, (bins + 1,)."""
    return np.arange(bins + 1) / bins


def _require_distributions(probabilities: Floats) -> None:
    """Refuse an empty array, and rows that are not probability distributions."""
    if not len(probabilities):
        raise DataError("predictions: no row to measure. Give the validation and the test split at least one row each.")
    valid = (probabilities >= 0).all(axis=1) & (np.abs(probabilities.sum(axis=1) - 1) < 1e-6)
    if not valid.all():
        invalid = np.flatnonzero(~valid)
        raise DataError(
            f"predictions: the probabilities of {len(invalid)} of {len(valid)} rows are not numbers in [0, 1] that sum "
            f"to 1 (rows from 0: {listed(invalid.tolist())}). Lower finetune.learning_rate and train again: a model "
            "whose training diverged gives such numbers."
        )
