import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reading.scores import score_answer
from pipeline.reading.threshold import fit_threshold

ROWS = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from(["cat", "dog"]), st.sampled_from([[], ["cat"]])), min_size=1
)


def mean_f1(rows, threshold) -> float:
    return float(np.mean([score_answer("" if doubt > threshold else text, own)[1] for doubt, text, own in rows]))


@given(ROWS)
def test_no_threshold_is_better(rows):
    doubts, texts, truths = (list(column) for column in zip(*rows, strict=True))
    threshold = fit_threshold(np.array(doubts, np.float64), texts, truths)
    if all(truths):
        assert threshold is None
    else:
        assert threshold is not None
        best = max(mean_f1(rows, limit) for limit in np.arange(-4, 4.5, 0.5))
        assert mean_f1(rows, threshold) == best


def test_of_equal_thresholds_the_one_nearest_to_zero_counts():
    assert fit_threshold(np.array([-4.0, 6.0]), ["cat", "cat"], [["cat"], []]) == 1.0
