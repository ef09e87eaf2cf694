"""Metrics of numbers, as functions of example weights."""

from typing import NamedTuple

import numpy as np

from pipeline.core.errors import DataError
from pipeline.evaluate.metrics import Floats, Ints


class ScoredNumbers(NamedTuple):
    """N scored examples, each array (N,); the codes number the distinct values of a side from the smallest up."""

    actual: Floats
    predicted: Floats
    actual_codes: Ints
    predicted_codes: Ints


def score_numbers(actual: Floats, predicted: Floats) -> ScoredNumbers:
    """Score the predictions of N examples.

    Raises:
        DataError: There is no row, or a prediction is not finite.
    """
    if not len(actual):
        raise DataError("predictions: no row to measure. Give the validation and the test split at least one row each.")
    if not np.isfinite(predicted).all():
        raise DataError(
            "predictions: a number is not finite. Lower finetune.learning_rate and train again: a model whose training "
            "diverged gives such numbers."
        )
    codes = [np.unique(values, return_inverse=True)[1].astype(np.int64) for values in (actual, predicted)]
    return ScoredNumbers(actual, predicted, *codes)


def compute_number_metrics(scored: ScoredNumbers, weights: Floats) -> Floats:
    """Return RMSE, MAE, Pearson's and Spearman's correlation, (4,), of examples that count `weights` times, (N,).

    The errors are in the unit of the numbers, the correlations in [-1, 1]; a correlation is NaN if all truths or all
    answers are equal.

    Source: Spearman (1904), The Proof and Measurement of Association between Two Things: Pearson's of mid-ranks.
    """
    total = np.sum(weights)
    errors = scored.predicted - scored.actual
    rmse = np.sqrt(np.sum(weights * errors**2) / total)
    mae = np.sum(weights * np.abs(errors)) / total
    if any(np.count_nonzero(_count(codes, weights)) < 2 for codes in (scored.actual_codes, scored.predicted_codes)):
        return np.array((rmse, mae, np.nan, np.nan))
    pearson = _correlate(scored.actual, scored.predicted, weights)
    spearman = _correlate(_rank(scored.actual_codes, weights), _rank(scored.predicted_codes, weights), weights)
    return np.array((float(rmse), float(mae), pearson, spearman))


def _count(codes: Ints, weights: Floats) -> Floats:
    return np.asarray(np.bincount(codes, weights), dtype=np.float64)


def _rank(codes: Ints, weights: Floats) -> Floats:
    """Return the mid-rank of each example among all, each of which is there `weights` times, (N,)."""
    counts = _count(codes, weights)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[codes])


def _correlate(left: Floats, right: Floats, weights: Floats) -> float:
    """Return Pearson's correlation of two columns that both vary, in [-1, 1]."""
    total = np.sum(weights)
    left, right = (values - np.sum(weights * values) / total for values in (left, right))
    products = [np.sum(weights * first * second) for first, second in ((left, right), (left, left), (right, right))]
    return float(np.clip(products[0] / np.sqrt(products[1] * products[2]), -1, 1))
