import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.study.budget import ranking, subset


@st.composite
def rows(draw):
    classes = draw(st.lists(st.integers(0, 4), min_size=1, max_size=120))
    return [f"id{place}" for place in range(len(classes))], np.array(classes, np.int64), draw(st.integers(0, 2**32 - 1))


@given(rows(), st.data())
def test_a_smaller_subset_is_the_beginning_of_a_larger_one(found, data):
    ids, classes, seed = found
    large = data.draw(st.integers(0, len(ids)))
    small = data.draw(st.integers(0, large))
    one, other = (subset(ids, classes, labels=labels, seed=seed) for labels in (small, large))
    assert one.tolist() == other[:small].tolist()
    assert len(set(other.tolist())) == large


@given(rows(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(found, random):
    ids, classes, seed = found
    mixed = list(range(len(ids)))
    random.shuffle(mixed)
    one = [ids[at] for at in ranking(ids, classes, seed=seed)]
    shuffled = [ids[at] for at in mixed]
    assert [shuffled[at] for at in ranking(shuffled, classes[mixed], seed=seed)] == one


@given(rows())
def test_every_beginning_is_stratified(found):
    ids, classes, seed = found
    order = ranking(ids, classes, seed=seed)
    assert sorted(order.tolist()) == list(range(len(ids)))
    kinds, sizes = np.unique(classes, return_counts=True)
    for labels in range(1, len(ids) + 1):
        counts = np.array([(classes[order[:labels]] == kind).sum() for kind in kinds])
        assert (np.abs(counts - labels * sizes / len(ids)) <= 1 + len(kinds) / 2).all()
        assert (counts > 0).all() or labels < len(kinds)


def test_two_equal_classes_are_split_in_halves():
    ids, classes = [f"{place}" for place in range(1000)], np.arange(1000) % 2
    for labels in (2, 32, 128, 512):
        assert np.bincount(classes[subset(ids, classes, labels=labels, seed=1)]).tolist() == [labels // 2] * 2


def test_another_seed_deals_another_subset():
    ids, classes = [f"{place}" for place in range(1000)], np.arange(1000) % 2
    one, other = (set(subset(ids, classes, labels=100, seed=seed).tolist()) for seed in (0, 1))
    shared, expected = len(one & other), 100 * 100 / 1000
    assert abs(shared - expected) < 4 * math.sqrt(expected)


def test_more_labels_than_rows_is_refused():
    with pytest.raises(UsageError, match="3 labels are asked for, and there are 2"):
        subset(["a", "b"], np.array([0, 1]), labels=3, seed=0)
