import numpy as np
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
    assert all(dealt[left] == dealt[right] for left, right in pairs)


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
