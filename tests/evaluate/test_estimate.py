import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluate.estimate import (
    REAL_GAIN,
    REAL_LOSS,
    UNMEASURED,
    UNPROVEN,
    Estimate,
    classify_difference,
    wilson_interval,
)


@given(st.integers(1, 500).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows))), st.floats(0.5, 0.99))
def test_wilson_agrees_with_scipy(case: tuple[int, int], confidence: float) -> None:
    found = wilson_interval(*case, confidence=confidence)
    wanted = stats.binomtest(*case).proportion_ci(confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert found.value == case[0] / case[1]
    assert 0 <= found.low <= found.high <= 1


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
    mirrored = Estimate(*(None if end is None else -end for end in (difference.value, difference.high, difference.low)))
    assert classify_difference(mirrored, p, alpha=0.05, better=-1) == expected
