"""Estimates: a number, its interval, the reason if one of them is missing, and what a difference proves."""

from statistics import NormalDist
from typing import NamedTuple

REAL_GAIN, REAL_LOSS, UNPROVEN, UNMEASURED = "real gain", "real loss", "no proven difference", "not measured"
NO_SPREAD = "every resample gives this value, so the bootstrap has no interval for it"


class Estimate(NamedTuple):
    """A value and its interval; what is undefined or was not measured is None, and `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


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


def classify_difference(difference: Estimate, p: float | None, *, alpha: float, better: int = 1) -> str:
    """Return the outcome of a difference: it is real if its interval excludes 0 and `p` is below `alpha`.

    A missing interval or p value is ignored; if both are missing, the difference counts as not measured. `better` is -1
    if a difference below 0 is a gain.
    """
    if difference.value is None or (difference.low is None and p is None):
        return UNMEASURED
    ends = (difference.low, difference.value, difference.high)
    chance = p is not None and p >= alpha
    for sign, outcome in ((better, REAL_GAIN), (-better, REAL_LOSS)):
        if not chance and all(end is None or sign * end > 0 for end in ends):
            return outcome
    return UNPROVEN
