"""Estimates: a number, its interval, and the reason if one of them is missing."""

from statistics import NormalDist
from typing import NamedTuple

NO_SPREAD = "every resample gives this value, so the bootstrap has no interval for it"


class Estimate(NamedTuple):
    """A value and its interval; what is undefined or was not measured is None, and `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


UNDEFINED = Estimate(None, reason="all rows are of one class, and a mean over classes needs two")


# `scipy.stats.binomtest(...).proportion_ci(method="wilson")` gives the same, after an import that takes 0.8 seconds
def wilson_interval(right: int, rows: int, *, confidence: float) -> Estimate:
    """Return an accuracy with its score interval, which stays honest for few rows and if all or none are right.

    Source: Wilson (1927), Journal of the American Statistical Association 22(158).
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = right / rows, 1 + z * z / rows
    centre = (share + z * z / (2 * rows)) / shrink
    reach = z * (share * (1 - share) / rows + z * z / (4 * rows * rows)) ** 0.5 / shrink
    return Estimate(share, max(0.0, centre - reach), min(1.0, centre + reach))


def share_interval(hits: int, rows: int, *, confidence: float) -> Estimate:
    """Return a share with its score interval; undefined of no rows."""
    return wilson_interval(hits, rows, confidence=confidence) if rows else Estimate(None, reason="there is no such row")
