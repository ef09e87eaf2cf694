"""Bootstrap resamples of metrics, and their percentile intervals."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.estimate import NO_SPREAD, UNDEFINED, Estimate, wilson_interval
from pipeline.evaluate.metrics import (
    HEADLINE_METRICS,
    Floats,
    Scored,
    compute_headline,
    has_one_class,
    macro_f1,
)


def bootstrap(models: Sequence[Scored], *, resamples: int, rng: np.random.Generator) -> Floats:
    """Return the headline metrics of each model on each resample, (resamples, models, 5).

    A resample draws N of the N examples with replacement, the same ones for every model, so differences between
    models are paired. Only one resample is held at a time, as the count of each example.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 6.
    """
    rows = len(models[0].actual)
    draws = np.empty((resamples, len(models), len(HEADLINE_METRICS)))
    for draw in draws:
        counts = np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(np.float64)
        for place, data in enumerate(models):
            draw[place] = compute_headline(data, counts)
    return draws


def bootstrap_macro_f1(matrix: npt.NDArray[np.int64], *, resamples: int, rng: np.random.Generator) -> Floats:
    """Return the macro-F1 of each resample, (resamples,), from a confusion matrix alone, (C, C).

    Drawing N of N examples with replacement and counting cells is one multinomial draw over the cells, so this is the
    same bootstrap at a cost that does not grow with N.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 4.4.
    """
    cells = np.flatnonzero(matrix)
    shares = matrix.flat[cells] / matrix.sum()
    resample, draws = np.zeros_like(matrix), np.empty(resamples)
    for at, counts in enumerate(rng.multinomial(matrix.sum(), shares, size=resamples)):
        resample.flat[cells] = counts
        draws[at] = macro_f1(resample)
    return draws


def estimate_headline(data: Scored, values: Floats, draws: Floats, *, confidence: float) -> dict[str, Estimate]:
    """Return each headline metric with its percentile interval; `values` is (5,), `draws` (resamples, 5).

    Macro-F1 is undefined if all rows are of one class. Resampling adds noise, and noise only ever adds to the
    calibration error, so the interval of `ece` lies high and may leave out the value. If all rows are right, or none,
    resamples of the accuracy are all equal, and its interval is Wilson's.
    """
    undefined = {"macro_f1"} if has_one_class(data) else set()
    estimates = {
        name: UNDEFINED if name in undefined else percentile_interval(values[at], draws[:, at], confidence=confidence)
        for at, name in enumerate(HEADLINE_METRICS)
    }
    if estimates["accuracy"].reason == NO_SPREAD:
        estimates["accuracy"] = wilson_interval(int(data.right.sum()), len(data.actual), confidence=confidence)
    return estimates


def percentile_interval(value: float, draws: Floats, *, confidence: float) -> Estimate:
    """Return `value` with the percentile interval of its resamples, (R,); without one if all of them are equal.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.
    """
    if draws.min() == draws.max():
        return Estimate(float(value), reason=NO_SPREAD)
    low, high = np.quantile(draws, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Estimate(float(value), float(low), float(high))
