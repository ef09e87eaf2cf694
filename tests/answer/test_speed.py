"""The speed of a model, and the wait that follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.speed import Speed

BATCHES = st.lists(st.tuples(st.integers(1, 10_000), st.floats(1e-4, 100)), min_size=1, max_size=30)


@given(batches=BATCHES)
def test_an_estimate_lies_between_the_slowest_and_the_fastest_batch(batches):
    speed = Speed(*batches[0])
    for batch in batches[1:]:
        speed.add(*batch)
    each = [seconds / tokens for tokens, seconds in batches]
    assert min(each) * 0.999 <= speed.estimate_seconds(1) <= max(each) * 1.001


@given(first=BATCHES, tokens=st.integers(1, 10_000), seconds=st.floats(1e-3, 10))
def test_an_estimate_follows_what_is_measured_lately(first, tokens, seconds):
    speed = Speed(*first[0])
    for _ in range(400):
        speed.add(tokens, seconds)
    assert speed.estimate_seconds(tokens) == pytest.approx(seconds, rel=1e-3)


def test_nothing_waits_for_nothing():
    assert Speed(10, 1.0).estimate_seconds(0) == 0
