"""The mean of what several trainings got right on the same examples, and how far it could be off for both reasons."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import bisect
from scipy.special import stdtrit

from pipeline.evaluate.metrics import Floats, Ints, confusion_matrix, macro_f1

# The logarithm of the least p value that is told: beyond it there is nothing to tell apart.
LEAST = -300.0


class Mean(NamedTuple):
    """A mean over seeds and examples; `low` and `high` are None, and `p_value` is 1, where nothing varies.

    `p_value` is two-sided, of "the mean is 0".
    """

    value: float
    low: float | None
    high: float | None
    p_value: float


class Part(NamedTuple):
    """A part of the variance of the mean, and the degrees of freedom that it was estimated with."""

    variance: float
    freedom: int


def crossed_mean(values: Floats, *, confidence: float) -> Mean:
    """Return the mean of `values`, (S, N): S seeds by N examples, both drawn from many.

    The variance of the mean is that of two crossed random effects: with mean squares A of the seeds, B of the examples
    and E of the rest, its parts are max(A, E) / (S N) of the seeds and max(0, B - E) / (S N) of the examples. The
    interval reaches as far as the root of the sum of t^2 x part, each t with the degrees of freedom of its own part,
    S - 1 and N - 1; the p value is the level at which it touches 0. So the few seeds count as few even where they
    happen to agree: with 2 of them t is 12.7 at 95%. With one seed only the examples vary, and the mean is of that
    training; likewise with one example.

    Source: Searle, Casella and McCulloch (1992), Variance Components, sections 4.3 and 4.5, for the mean squares;
    Banerjee (1960), Sankhya 22, pages 357-358, for the interval: of independent normal parts it holds the mean at least
    as often as it says, whatever their sizes.
    """
    seeds, examples = values.shape
    by_seed, by_example = values.mean(axis=1), values.mean(axis=0)
    mean = float(values.mean())
    if min(seeds, examples) == 1:  # what is one of cannot vary
        spread = float(values.var(ddof=1)) if values.size > 1 else 0.0
        return _judged(mean, [Part(spread / values.size, values.size - 1)], confidence)
    rest = values - by_seed[:, None] - by_example[None, :] + mean
    a = examples * float(by_seed.var(ddof=1))
    b = seeds * float(by_example.var(ddof=1))
    e = float((rest**2).sum()) / ((seeds - 1) * (examples - 1))
    parts = [Part(max(a, e) / values.size, seeds - 1), Part(max(0.0, b - e) / values.size, examples - 1)]
    return _judged(mean, parts, confidence)


def _judged(mean: float, parts: list[Part], confidence: float) -> Mean:
    """Return the mean with its interval and p value, from the parts of its variance."""
    varying = [part for part in parts if part.variance > 0]
    if not varying:
        return Mean(mean, None, None, 1.0)

    def reach(level: float) -> float:
        """Return half the width of the interval that misses the mean with the chance `level`."""
        return math.sqrt(sum(float(stdtrit(free, level / 2)) ** 2 * variance for variance, free in varying))

    def beyond(log_level: float) -> float:
        return reach(math.exp(log_level)) - abs(mean)

    half = reach(1 - confidence)
    p_value = math.exp(bisect(beyond, LEAST, 0.0) if beyond(LEAST) > 0 else LEAST)
    return Mean(mean, mean - half, mean + half, p_value)


def crossed_macro_f1(
    actual: Ints, predicted: npt.NDArray[np.int64], *, classes: int, resamples: int, rng: np.random.Generator
) -> Floats:
    """Return resamples, (resamples,), of the mean macro-F1 over seeds; `predicted` is (S, N), `actual` (N,).

    Seeds and examples are drawn with replacement, each on its own. Of many it errs on the wide side; of S seeds it
    shows only (S - 1) / S of the variance between them, with 2 half of it.

    Source: Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2).
    """
    seeds, rows = predicted.shape
    cells = actual[None, :] * classes + predicted
    draws = np.empty(resamples)
    for at in range(resamples):
        counts = np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(np.float64)
        drawn: list[int] = rng.integers(seeds, size=(seeds,)).tolist()
        found = {
            seed: macro_f1(np.bincount(cells[seed], counts, minlength=classes**2).reshape(classes, classes))
            for seed in set(drawn)
        }
        draws[at] = np.mean([found[seed] for seed in drawn])
    return draws


def mean_macro_f1(actual: Ints, predicted: npt.NDArray[np.int64], *, classes: int) -> float:
    """Return the mean over seeds of macro-F1; `predicted` is (S, N), `actual` (N,)."""
    return float(np.mean([macro_f1(confusion_matrix(actual, one, classes)) for one in predicted]))
