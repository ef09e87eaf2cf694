"""The power law of a learning curve: how the error falls with the number of labels, and what more would bring."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar, nnls
from scipy.special import chdtrc

from pipeline.evaluate.estimate import Estimate
from pipeline.evaluate.metrics import Floats

LEAST_POINTS = 4  # one more than the law has numbers: without a point to spare, nothing tells whether it holds
MISFIT = 0.01  # p value of the law below which it does not hold
DRAWS, SEED = 200, 0
_LEAST_SPREAD = 1e-3  # of an error, which a curve of few seeds may show too small
_EXPONENTS = np.geomspace(0.01, 3.0, 24)


class CurvePoint(NamedTuple):
    """A point of a learning curve: the number of labels, the error, and the standard deviation of that."""

    labels: int
    error: float
    spread: float


class PowerLaw(NamedTuple):
    """An error of `floor + rest * (labels / most) ** -exponent`, where `most` labels are those of the last point."""

    floor: float
    rest: float
    exponent: float
    most: int

    def predict(self, labels: float) -> float:
        """Return the error with a number of labels."""
        return float(self.floor + self.rest * (labels / self.most) ** -self.exponent)


def fit_power_law(curve: Sequence[CurvePoint]) -> PowerLaw | None:
    """Return the law of a curve, its points in the order of their labels; None if it has too few or is no power law.

    The least squares are weighted by the spread of each error. With few labels a model guesses, and its error falls
    otherwise: as long as the law does not hold, the first point is left out.

    Source: Hestness et al. (2017), Deep Learning Scaling is Predictable, Empirically, arXiv:1712.00409, section 5.
    """
    kept = find_region(curve)
    return _solve(kept, np.array([point.error for point in kept])) if kept else None


def find_region(curve: Sequence[CurvePoint]) -> Sequence[CurvePoint]:
    """Return the last points of a curve that follow a power law, as many as possible; none if fewer than four do."""
    for start in range(len(curve) - LEAST_POINTS + 1):
        kept = curve[start:]
        law = _solve(kept, np.array([point.error for point in kept]))
        misfit = sum(((law.predict(point.labels) - point.error) / _spread(point)) ** 2 for point in kept)
        if chdtrc(len(kept) - 3, misfit) >= MISFIT:
            return kept
    return ()


def forecast_gain(curve: Sequence[CurvePoint], *, factor: float, confidence: float) -> Estimate:
    """Return by how much the error falls if the labels of the last point are multiplied by `factor`, or no value.

    The interval is that of a parametric bootstrap: laws of errors drawn with the spread of each. It takes for granted
    that the law goes on.
    """
    kept = find_region(curve)
    if not kept:
        return Estimate(None, reason=f"a power law needs {LEAST_POINTS} points that follow it")
    errors = np.array([point.error for point in kept])
    spreads = np.array([_spread(point) for point in kept])
    drawn = np.random.default_rng(SEED).normal(errors, spreads, (DRAWS, len(kept)))
    gains = [_gain(_solve(kept, row), factor) for row in drawn]
    low, high = np.quantile(gains, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Estimate(_gain(_solve(kept, errors), factor), float(low), float(high))


def read_point(labels: int, accuracy: Estimate, *, confidence: float) -> CurvePoint | None:
    """Return the point of an accuracy; None without its interval."""
    if accuracy.value is None or accuracy.low is None or accuracy.high is None:
        return None
    return CurvePoint(
        labels, 1 - accuracy.value, (accuracy.high - accuracy.low) / 2 / NormalDist().inv_cdf((1 + confidence) / 2)
    )


def _gain(law: PowerLaw, factor: float) -> float:
    return law.predict(law.most) - law.predict(law.most * factor)


def _spread(point: CurvePoint) -> float:
    return max(point.spread, _LEAST_SPREAD)


def _solve(curve: Sequence[CurvePoint], errors: Floats) -> PowerLaw:
    """Return the law with the least squares of these errors, one for each point.

    With an exponent the law is linear in its two other numbers, neither of which is negative: so each exponent has one
    best law. The best of a grid is refined between its neighbours, and no start decides which is found.
    """
    most = curve[-1].labels
    share = np.array([point.labels for point in curve]) / most
    weights = 1 / np.array([_spread(point) for point in curve])

    def fit(exponent: float) -> tuple[Floats, float]:
        found, misfit = nnls(np.stack((weights, share**-exponent * weights), axis=1), errors * weights)
        return found, float(misfit)

    best = int(np.argmin([fit(exponent)[1] for exponent in _EXPONENTS]))
    ends = _EXPONENTS[max(best - 1, 0)], _EXPONENTS[min(best + 1, len(_EXPONENTS) - 1)]
    exponent = float(minimize_scalar(lambda exponent: fit(exponent)[1], bounds=ends, method="bounded").x)
    floor, rest = map(float, fit(exponent)[0])
    return PowerLaw(floor, rest, exponent, most)
