import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.batching import TOKENS_A_BATCH, plan_batches, plan_tight_batches

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


@given(LENGTHS, st.integers(1, 200), st.integers(1, 20))
def test_tight_batches_cost_no_more_and_keep_the_budget(lengths, batch_tokens, batch_size):
    rows, how = np.array(lengths, np.int64), {"batch_tokens": batch_tokens, "batch_size": batch_size}
    tight, plain = plan_tight_batches(rows, **how), plan_batches(rows, **how, rng=None)
    assert [row for batch in tight for row in batch] == [row for batch in plain for row in batch]
    for batch in tight:
        assert 0 < len(batch) <= batch_size
        assert len(batch) == 1 or len(batch) * rows[batch].max() <= batch_tokens

    def cost(batches):
        return sum(len(batch) * max(1, rows[batch].max()) + TOKENS_A_BATCH for batch in batches)

    assert cost(tight) <= cost(plain)


def test_a_batch_ends_where_shorter_rows_are_worth_another():
    lengths = np.array([90] * 3 + [5] * 20 + [4], np.int64)
    tight = plan_tight_batches(lengths, batch_tokens=10_000, batch_size=100)
    assert [len(batch) for batch in tight] == [3, 21]
