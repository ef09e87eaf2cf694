import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.batching import plan_batches

LENGTHS = st.lists(st.integers(1, 60), min_size=0, max_size=80)


@given(LENGTHS, st.integers(1, 200), st.integers(1, 20), st.none() | st.integers(0, 9))
def test_every_row_is_in_one_batch_within_the_budget(lengths, batch_tokens, batch_size, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    batches = plan_batches(np.array(lengths, np.int64), batch_tokens=batch_tokens, batch_size=batch_size, rng=rng)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= batch_size
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= batch_tokens


@given(LENGTHS)
def test_rows_of_a_batch_are_neighbours_in_length(lengths):
    batches = plan_batches(np.array(lengths, np.int64), batch_tokens=100, batch_size=8, rng=None)
    flat = [lengths[row] for batch in batches for row in batch]
    assert flat == sorted(lengths, reverse=True)


def test_the_order_is_random_with_a_generator_and_the_same_for_the_same_seed():
    lengths = np.full(64, 7, np.int64)

    def orders(seed: int) -> list[list[int]]:
        return [list(b) for b in plan_batches(lengths, batch_tokens=70, batch_size=8, rng=np.random.default_rng(seed))]

    assert orders(1) == orders(1) != orders(2)
