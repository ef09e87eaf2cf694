"""Metrics of label sets, as functions of example weights, and the thresholds that sets follow from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import REPRODUCE, DataError, listed
from pipeline.core.tables import labels_of, task_of
from pipeline.evaluate.metrics import Floats, Ints

Bools = npt.NDArray[np.bool_]
# Validation rows of a label with which it is given a threshold of its own; with fewer it would follow single rows.
LEAST_ROWS = 10
EVEN_THRESHOLD = 0.5


class ScoredSets(NamedTuple):
    """N scored examples with C classes: each array is (N, C), but `confidence`, (N,)."""

    actual: Bools
    predicted: Bools
    ranks: Ints  # of the probability of a class among all examples: 0 the highest, equal if the probabilities are
    probabilities: Floats
    confidence: Floats  # probability of the answered set if classes were independent, [0, 1]

    @property
    def right(self) -> Bools:
        """Whether each example has exactly the classes that were predicted, (N,)."""
        return np.asarray((self.actual == self.predicted).all(axis=1))


class Counted(NamedTuple):
    """Weighted counts of each class, (C,): hits, rows of the class, and rows answered with it."""

    hits: Floats
    support: Floats
    calls: Floats


def to_indicators(column: pa.ChunkedArray | pa.Array, like: pa.Table | pa.Schema) -> Bools:
    """Return whether each of N rows has each class, (N, C), from lists of class indices; `like` names the classes.

    Raises:
        DataError: A list is missing, or an index is that of no class.
    """
    classes = len(labels_of(like))
    values, counts = np.asarray(pc.list_flatten(column)), np.asarray(pc.list_value_length(column))
    if column.null_count or ((values < 0) | (values >= classes)).any():
        odd = sorted({value for value in values.tolist() if not 0 <= value < classes})
        raise DataError(
            f"{task_of(like)}: labels: must be lists of class indices from 0 to {classes - 1}, found "
            f"{column.null_count} missing and {listed(odd) or 'none beyond'}. {REPRODUCE}"
        )
    indicators = np.zeros((len(column), classes), dtype=np.bool_)
    indicators[np.repeat(np.arange(len(column)), counts.astype(np.int64)), values.astype(np.int64)] = True
    return indicators


def to_lists(indicators: Bools) -> pa.Array:
    """Return the rising class indices of each row, a list each."""
    rows, places = np.nonzero(indicators)
    offsets = np.searchsorted(rows, np.arange(len(indicators) + 1))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(places, pa.int64()))


def score_label_sets(actual: Bools, probabilities: Floats, predicted: Bools) -> ScoredSets:
    """Score the predictions of N examples with C classes, each (N, C).

    Raises:
        DataError: There is no row, or a probability is not one.
    """
    if not len(actual):
        raise DataError("predictions: no row to measure. Give the validation and the test split at least one row each.")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise DataError(
            "predictions: a probability is not a number in [0, 1]. Lower finetune.learning_rate and train again: a "
            "model whose training diverged gives such numbers."
        )
    ranks = [np.unique(-column, return_inverse=True)[1] for column in probabilities.T]
    confidence = np.prod(np.where(predicted, probabilities, 1 - probabilities), axis=1)
    return ScoredSets(actual, predicted, np.stack(ranks, axis=1).astype(np.int64), probabilities, confidence)


def count_classes(scored: ScoredSets, weights: Floats) -> Counted:
    """Return the counts of each class, of examples that count `weights` times, (N,)."""
    column = weights[:, None]
    hits, support, calls = (
        np.sum(part * column, axis=0) for part in (scored.actual & scored.predicted, scored.actual, scored.predicted)
    )
    return Counted(hits, support, calls)


def compute_average_precisions(scored: ScoredSets, weights: Floats) -> Floats:
    """Return the average precision of each class, (C,), of examples that count `weights` times; NaN without rows of it.

    It is the sum over distinct probabilities, from the highest down, of the rise in recall times the precision.

    Source: scikit-learn's `average_precision_score`; Zhu (2004), Recall, Precision and Average Precision.
    """
    size, (_, classes) = int(scored.ranks.max()) + 1, scored.ranks.shape
    cells = (scored.ranks + np.arange(classes) * size).ravel()
    total = np.bincount(cells, np.repeat(weights, classes), minlength=size * classes).reshape(classes, size)
    hits = np.bincount(cells, (scored.actual * weights[:, None]).ravel(), minlength=size * classes)
    hits = hits.reshape(classes, size)
    reached, seen = np.cumsum(hits, axis=1), np.cumsum(total, axis=1)
    precision = np.divide(reached, seen, out=np.zeros_like(reached), where=seen > 0)
    support = reached[:, -1]
    mean = np.divide(np.sum(hits * precision, axis=1), support, out=np.full(classes, np.nan), where=support > 0)
    return np.asarray(mean)


def compute_set_metrics(scored: ScoredSets, weights: Floats) -> Floats:
    """Return micro-F1, macro-F1, mean average precision and exact match, (4,), of examples that count `weights` times.

    All are in [0, 1]. Micro-F1 counts the labels of all examples together; it is NaN if no label is actual or
    predicted. Macro-F1 is the mean over the classes that are either, mean average precision that over those that are
    actual. Exact match is the share of examples whose set is right in whole.

    Source: Tsoumakas and Katakis (2007), Multi-Label Classification: An Overview, section 5.
    """
    counted = count_classes(scored, weights)
    seen = counted.support + counted.calls
    exact = float(np.sum(weights * scored.right) / np.sum(weights))
    if not np.sum(seen) > 0:
        return np.array((np.nan, np.nan, np.nan, exact))
    precisions = compute_average_precisions(scored, weights)
    known = precisions[~np.isnan(precisions)]
    each = 2 * counted.hits[seen > 0] / seen[seen > 0]
    mean_precision = float(np.mean(known)) if len(known) else np.nan
    return np.array((2 * np.sum(counted.hits) / np.sum(seen), np.mean(each), mean_precision, exact))


def name_sets(indicators: Bools, labels: Sequence[str]) -> list[str]:
    """Return the classes of each row in words, between semicolons; empty if there is none."""
    return ["; ".join(labels[place] for place in np.flatnonzero(row).tolist()) for row in indicators]


# ------------------------------------------------------------------------------------------------ thresholds
def choose_threshold(probabilities: Floats, actual: Bools) -> float:
    """Return the threshold, in [0, 1], from which on answers have the highest F1, of equals the highest threshold.

    It is halfway between two probabilities. Both arrays are (N,); without a row of the label it is `EVEN_THRESHOLD`.
    """
    if not actual.any():
        return EVEN_THRESHOLD
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(actual[order])
    last = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))  # the last of each run of equals
    f1 = 2 * hits[last] / (last + 1 + hits[-1])
    best = last[int(np.argmax(f1))]
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


def choose_thresholds(probabilities: Floats, actual: Bools) -> Floats:
    """Return the threshold of each label, (C,), from the rows of validation, (N, C).

    A label with fewer than `LEAST_ROWS` of them takes the threshold that is best for all labels together.

    Source: Fan and Lin (2007), A Study on Threshold Selection for Multi-label Classification.
    """
    common = choose_threshold(probabilities.ravel(), actual.ravel())
    return np.array(
        [
            choose_threshold(column, known) if known.sum() >= LEAST_ROWS else common
            for column, known in zip(probabilities.T, actual.T, strict=True)
        ]
    )


def apply_thresholds(probabilities: Floats, thresholds: Floats) -> Bools:
    """Return which labels are answered, (N, C)."""
    return np.greater_equal(probabilities, thresholds)
