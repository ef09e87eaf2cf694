"""Mean accuracy over seeds on a shared test set, with an interval for the variation between seeds and examples."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import bisect
from scipy.special import stdtrit

from pipeline.evaluate.metrics import Floats, Ints, confusion_matrix, macro_f1

LEAST_LOG_P = -300.0  # logarithm of the smallest p value reported


class Mean(NamedTuple):
    """A mean over seeds and examples, and the two-sided p value of "the mean is 0".

    If nothing varies, `low` and `high` are None and `p_value` is 1.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float


class VarianceComponent(NamedTuple):
    """A component of the variance of the mean, and the degrees of freedom of its estimate."""

    variance: float
    freedom: int


def crossed_mean(values: Floats, *, confidence: float) -> Mean:
    """Return the mean of `values`, (S, N): S seeds by N examples, both random samples.

    The variance of the mean is that of two crossed random effects: with mean squares A of the seeds, B of the examples
    and E of the rest, its components are max(A, E) / (S N) of the seeds and max(0, B - E) / (S N) of the examples. Half
    the width of the interval is the root of the sum of t^2 x component, each t with the degrees of freedom of its own
    component, S - 1 and N - 1; the p value is the level at which the interval touches 0. So few seeds count as few even
    if they happen to agree: with 2 of them t is 12.7 at 95%. With one seed only the examples vary, and the mean is that
    of this training; likewise with one example.

    Source: Searle, Casella and McCulloch (1992), Variance Components, sections 4.3 and 4.5, for the mean squares;
    Banerjee (1960), Sankhya 22, pages 357-358, for the interval: if the components are normal and independent, it
    covers the mean at least as often as it says, whatever their sizes.
    """
    seeds, examples = values.shape
    by_seed, by_example = values.mean(axis=1), values.mean(axis=0)
    mean = float(values.mean())
    if min(seeds, examples) == 1:  # a single seed or example does not vary
        spread = float(values.var(ddof=1)) if values.size > 1 else 0.0
        return _with_interval(mean, [VarianceComponent(spread / values.size, values.size - 1)], confidence)
    rest = values - by_seed[:, None] - by_example[None, :] + mean
    a = examples * float(by_seed.var(ddof=1))
    b = seeds * float(by_example.var(ddof=1))
    e = float((rest**2).sum()) / ((seeds - 1) * (examples - 1))
    components = [
        VarianceComponent(max(a, e) / values.size, seeds - 1),
        VarianceComponent(max(0.0, b - e) / values.size, examples - 1),
    ]
    return _with_interval(mean, components, confidence)


def _with_interval(mean: float, components: list[VarianceComponent], confidence: float) -> Mean:
    """Return the mean with the interval and p value that the components of its variance give."""
    varying = [component for component in components if component.variance > 0]
    if not varying:
        return Mean(mean, None, None, 1.0)

    def half_width(level: float) -> float:
        """Return half the width of the interval that misses the mean with probability `level`."""
        return math.sqrt(sum(float(stdtrit(freedom, level / 2)) ** 2 * variance for variance, freedom in varying))

    def excess(log_level: float) -> float:
        return half_width(math.exp(log_level)) - abs(mean)

    half = half_width(1 - confidence)
    p_value = math.exp(bisect(excess, LEAST_LOG_P, 0.0) if excess(LEAST_LOG_P) > 0 else LEAST_LOG_P)
    return Mean(mean, mean - half, mean + half, p_value)


def crossed_macro_f1(
    actual: Ints, predicted: npt.NDArray[np.int64], *, classes: int, resamples: int, rng: np.random.Generator
) -> Floats:
    """Return resamples, (resamples,), of the mean macro-F1 over seeds; `predicted` is (S, N), `actual` (N,).

    Seeds and examples are drawn with replacement, independently. With many of both the spread is too wide rather than
    too narrow; with S seeds it shows only (S - 1) / S of the variance between them, with 2 seeds half of it.

    Source: Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2).
    """
    seeds, rows = predicted.shape
    cells = actual[None, :] * classes + predicted
    draws = np.empty(resamples)
    for at in range(resamples):
        counts = np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(np.float64)
        drawn: list[int] = rng.integers(seeds, size=(seeds,)).tolist()
        scores = {
            seed: macro_f1(np.bincount(cells[seed], counts, minlength=classes**2).reshape(classes, classes))
            for seed in set(drawn)
        }
        draws[at] = np.mean([scores[seed] for seed in drawn])
    return draws


def mean_macro_f1(actual: Ints, predicted: npt.NDArray[np.int64], *, classes: int) -> float:
    """Return the mean over seeds of macro-F1; `predicted` is (S, N), `actual` (N,)."""
    return float(np.mean([macro_f1(confusion_matrix(actual, own, classes)) for own in predicted]))
