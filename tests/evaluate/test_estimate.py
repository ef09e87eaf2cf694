import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluate.estimate import wilson_interval


@given(st.integers(1, 500).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows))), st.floats(0.5, 0.99))
def test_wilson_agrees_with_scipy(case: tuple[int, int], confidence: float) -> None:
    found = wilson_interval(*case, confidence=confidence)
    wanted = stats.binomtest(*case).proportion_ci(confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert found.value == case[0] / case[1]
    assert 0 <= found.low <= found.high <= 1
