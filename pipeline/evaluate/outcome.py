"""What a measured difference amounts to: a real gain, a real loss, or nothing proven."""

from typing import NamedTuple

REAL_GAIN, REAL_LOSS, UNPROVEN, UNMEASURED = "real gain", "real loss", "no proven difference", "not measured"


class Measure(NamedTuple):
    """A number and its interval; `value` is None where it could not be measured, and `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def outcome(difference: Measure, p: float | None, *, alpha: float) -> str:
    """Return what a difference amounts to: it is real when its interval excludes 0 and `p` is below `alpha`.

    A missing interval or p value has no say; at least one must be there.
    """
    if difference.value is None or (difference.low is None and p is None):
        return UNMEASURED
    chance = p is not None and p >= alpha
    if not chance and difference.value > 0 and (difference.low is None or difference.low > 0):
        return REAL_GAIN
    if not chance and difference.value < 0 and (difference.high is None or difference.high < 0):
        return REAL_LOSS
    return UNPROVEN
