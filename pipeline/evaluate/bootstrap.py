"""How far a metric could be off, measured on examples drawn again from the examples."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.metrics import HEADLINE, Floats, Scored, headline, macro_f1

NO_SPREAD = "every resample gives this value, so the bootstrap has no interval for it"


class Estimate(NamedTuple):
    """A value with its interval; what is undefined is None, and `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None


UNDEFINED = Estimate(None, None, None, "all rows are of one class, and a mean over classes needs two")


def bootstrap(models: Sequence[Scored], *, resamples: int, rng: np.random.Generator) -> Floats:
    """Return the headline metrics of each model on each resample, (resamples, models, 5).

    A resample draws N of the N examples with replacement, the same ones for every model, so differences between
    models are paired. Only one resample is held at a time, as the count of each example.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 6.
    """
    rows = len(models[0].actual)
    draws = np.empty((resamples, len(models), len(HEADLINE)))
    for draw in draws:
        counts = np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(np.float64)
        for place, data in enumerate(models):
            draw[place] = headline(data, counts)
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


def summary(data: Scored, draws: Floats, *, confidence: float) -> dict[str, Estimate]:
    """Return each headline metric with its percentile interval; `draws` is (resamples, 5).

    Macro-F1 is undefined where all rows are of one class. Resampling adds noise, and noise only ever adds to the
    calibration error, so the interval of `ece` lies high and may leave out the value.
    """
    values = headline(data, np.ones(len(data.actual)))
    found = {name: estimate(values[at], draws[:, at], confidence=confidence) for at, name in enumerate(HEADLINE)}
    return found | {"macro_f1": UNDEFINED} if one_class(data) else found


def estimate(value: float, draws: Floats, *, confidence: float) -> Estimate:
    """Return `value` with the percentile interval of its resamples, (R,); without one where all of them are equal.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.
    """
    if draws.min() == draws.max():
        return Estimate(float(value), None, None, NO_SPREAD)
    low, high = np.quantile(draws, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Estimate(float(value), float(low), float(high), None)


def wilson(right: int, rows: int, *, confidence: float) -> Estimate:
    """Return an accuracy with its score interval, which stays honest for few rows and where all or none are right.

    Source: Wilson (1927), Journal of the American Statistical Association 22(158).
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = right / rows, 1 + z * z / rows
    centre = (share + z * z / (2 * rows)) / shrink
    reach = z * (share * (1 - share) / rows + z * z / (4 * rows * rows)) ** 0.5 / shrink
    return Estimate(share, max(0.0, centre - reach), min(1.0, centre + reach), None)


def one_class(data: Scored) -> bool:
    """Return whether all rows are of the same class."""
    return bool((data.actual == data.actual[0]).all())
