"""The speed of a model, and the wait that follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.speed import SharedTime, Speed

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


@given(times=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=12))
def test_batches_at_once_share_the_time_in_which_any_ran(times):
    spans = sorted((min(pair), max(pair)) for pair in times)
    events = sorted([(start, 0, batch) for batch, (start, _) in enumerate(spans)] +
                    [(end, 1, batch) for batch, (_, end) in enumerate(spans)])  # fmt: skip
    shared, begun, seconds = SharedTime(), {}, {}
    for now, is_end, batch in events:
        if is_end:
            seconds[batch] = shared.end(begun[batch], now)
        else:
            begun[batch] = shared.begin(now)
    busy, reached = 0.0, 0.0
    for start, end in spans:
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    assert sum(seconds.values()) == pytest.approx(busy, abs=1e-6)
    for batch, (start, end) in enumerate(spans):
        assert -1e-9 <= seconds[batch] <= end - start + 1e-9


def test_a_batch_alone_has_all_of_its_time():
    shared = SharedTime()
    begun = shared.begin(5.0)
    assert shared.end(begun, 7.5) == 2.5
    begun, other = shared.begin(10.0), shared.begin(10.0)
    assert (shared.end(begun, 14.0), shared.end(other, 14.0)) == (2.0, 2.0)
