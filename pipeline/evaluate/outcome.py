"""The outcome of a comparison: a real gain, a real loss, or no proven difference."""

from pipeline.evaluate.estimate import Estimate

REAL_GAIN, REAL_LOSS, UNPROVEN, UNMEASURED = "real gain", "real loss", "no proven difference", "not measured"


def classify_difference(difference: Estimate, p: float | None, *, alpha: float) -> str:
    """Return the outcome of a difference: it is real if its interval excludes 0 and `p` is below `alpha`.

    A missing interval or p value is ignored; if both are missing, the difference counts as not measured.
    """
    if difference.value is None or (difference.low is None and p is None):
        return UNMEASURED
    chance = p is not None and p >= alpha
    if not chance and difference.value > 0 and (difference.low is None or difference.low > 0):
        return REAL_GAIN
    if not chance and difference.value < 0 and (difference.high is None or difference.high < 0):
        return REAL_LOSS
    return UNPROVEN
