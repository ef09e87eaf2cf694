"""The best span is that of a search through all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reading.decoding import Window, decode

LOGIT = st.integers(-8, 8).map(lambda value: value / 2)


@st.composite
def windows(draw) -> list[Window]:
    made = []
    for at in range(draw(st.integers(1, 3))):
        before, tokens = draw(st.integers(1, 3)), draw(st.integers(0, 6))
        logits = draw(st.lists(st.tuples(LOGIT, LOGIT), min_size=before + tokens + 1, max_size=before + tokens + 1))
        starts = [-1] * before + [2 * (at + token) for token in range(tokens)] + [-1]
        ends = [start + 1 if start >= 0 else -1 for start in starts]
        made.append(Window(np.array(starts, np.int32), np.array(ends, np.int32), np.array(logits, np.float64)))
    return made


@given(windows(), st.integers(1, 4))
def test_the_best_span_is_found(made, longest):
    decoded = decode(made, longest=longest)
    spans = [
        (window.logits[first, 0] + window.logits[last, 1], int(window.starts[first]), int(window.ends[last]))
        for window in made
        for first in range(len(window.starts))
        for last in range(first, min(first + longest, len(window.starts)))
        if window.starts[first] >= 0 and window.starts[last] >= 0
    ]
    assert decoded.null == min(window.logits[0].sum() for window in made)
    assert 0 <= decoded.span_probability <= 1
    if spans:
        assert decoded.best.score == pytest.approx(max(spans)[0])
        assert (decoded.best.score, decoded.best.start, decoded.best.end) in spans
        assert decoded.span_probability + decoded.null_probability <= 1 + 1e-9
        assert (decoded.doubt > 0) == (decoded.null_probability > decoded.span_probability)
    else:
        assert (decoded.best.start, decoded.best.end, decoded.null_probability) == (0, 0, 1)
