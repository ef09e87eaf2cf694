import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.inspection.folds import deal_folds


@st.composite
def example_sets(draw):
    count = draw(st.integers(1, 40))
    classes = np.array(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), np.int64)
    rows = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(rows, rows), max_size=10))
    return [f"{row:016x}" for row in range(count)], classes, pairs


@given(example_sets(), st.integers(2, 6))
def test_near_duplicates_share_a_fold(examples, folds):
    ids, classes, pairs = examples
    dealt = deal_folds(ids, classes, pairs, folds=folds)
    assert set(dealt) <= set(range(folds))
    for family in families(len(ids), pairs):
        assert len(family) > len(ids) / folds or len(set(dealt[family])) == 1


def families(count, pairs):
    """Return the positions that chains of pairs connect."""
    names = list(range(count))
    for left, right in pairs:
        names = [names[left] if name == names[right] else name for name in names]
    return [[row for row in range(count) if names[row] == name] for name in set(names)]


@pytest.mark.parametrize("number", [1, 2])
def test_a_family_too_large_for_a_fold_is_dealt_over_all(number):
    """In one fold it would leave nothing to learn from."""
    classes = np.arange(150) % 3
    pairs = [(row, row + number) for row in range(150 - number)]
    dealt = deal_folds([f"{row:016x}" for row in range(150)], classes, pairs, folds=5)
    assert np.bincount(dealt).tolist() == [30] * 5


@given(example_sets(), st.integers(2, 6))
def test_each_class_is_spread_evenly(examples, folds):
    ids, classes, _ = examples
    dealt = deal_folds(ids, classes, [], folds=folds)
    for label in np.unique(classes):
        sizes = np.bincount(dealt[classes == label], minlength=folds)
        assert sizes.max() - sizes.min() <= 1


@given(example_sets(), st.integers(2, 6), st.randoms(use_true_random=False))
def test_folds_do_not_depend_on_the_order(examples, folds, random):
    ids, classes, pairs = examples
    order = list(range(len(ids)))
    random.shuffle(order)
    place = {row: position for position, row in enumerate(order)}
    dealt = deal_folds(ids, classes, pairs, folds=folds)
    again = deal_folds(
        [ids[row] for row in order], classes[order], [(place[a], place[b]) for a, b in pairs], folds=folds
    )
    assert dealt[order].tolist() == again.tolist()
