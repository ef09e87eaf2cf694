import pytest

from pipeline.evaluate.estimate import Estimate
from pipeline.evaluate.outcome import REAL_GAIN, REAL_LOSS, UNMEASURED, UNPROVEN, classify_difference


@pytest.mark.parametrize(
    ("difference", "p", "expected"),
    [
        (Estimate(0.05, 0.02, 0.08), 0.001, REAL_GAIN),
        (Estimate(0.05, None, None), 0.001, REAL_GAIN),
        (Estimate(0.05, 0.02, 0.08), None, REAL_GAIN),
        (Estimate(-0.05, -0.08, -0.02), 0.001, REAL_LOSS),
        (Estimate(0.05, 0.02, 0.08), 0.05, UNPROVEN),
        (Estimate(0.05, -0.01, 0.11), 0.001, UNPROVEN),
        (Estimate(0.05, 0.0, 0.1), 0.001, UNPROVEN),
        (Estimate(-0.05, -0.11, 0.01), 0.001, UNPROVEN),
        (Estimate(0.0, None, None), 1.0, UNPROVEN),
        (Estimate(0.0, 0.0, 0.0), None, UNPROVEN),
        (Estimate(None), 0.5, UNMEASURED),
        (Estimate(0.05), None, UNMEASURED),
    ],
)
def test_a_difference_is_real_when_interval_and_test_agree(
    difference: Estimate, p: float | None, expected: str
) -> None:
    assert classify_difference(difference, p, alpha=0.05) == expected
