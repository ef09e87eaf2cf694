"""The examples that a cell sees: nested, stratified, cut to the budget, and independent of the order of the rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.study.budget import draw_budget, draw_subset, rank_rows
from tests.given.studies import make_examples


@st.composite
def rows(draw):
    classes = draw(st.lists(st.integers(0, 4), min_size=1, max_size=120))
    return [f"id{place}" for place in range(len(classes))], np.array(classes, np.int64), draw(st.integers(0, 2**32 - 1))


@given(rows(), st.data())
def test_a_smaller_subset_is_the_beginning_of_a_larger_one(task, data):
    ids, classes, seed = task
    large = data.draw(st.integers(0, len(ids)))
    small = data.draw(st.integers(0, large))
    subset, larger = (draw_subset(ids, classes, labels=labels, seed=seed) for labels in (small, large))
    assert subset.tolist() == larger[:small].tolist()
    assert len(set(larger.tolist())) == large


@given(rows(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter_to_their_rank(task, random):
    ids, classes, seed = task
    mixed = list(range(len(ids)))
    random.shuffle(mixed)
    ranked = [ids[at] for at in rank_rows(ids, classes, seed=seed)]
    shuffled = [ids[at] for at in mixed]
    assert [shuffled[at] for at in rank_rows(shuffled, classes[mixed], seed=seed)] == ranked


@given(rows())
def test_every_beginning_is_stratified(task):
    ids, classes, seed = task
    order = rank_rows(ids, classes, seed=seed)
    assert sorted(order.tolist()) == list(range(len(ids)))
    kinds, sizes = np.unique(classes, return_counts=True)
    for labels in range(1, len(ids) + 1):
        counts = np.array([(classes[order[:labels]] == kind).sum() for kind in kinds])
        assert (np.abs(counts - labels * sizes / len(ids)) <= 1 + len(kinds) / 2).all()
        assert (counts > 0).all() or labels < len(kinds)


def test_two_equal_classes_are_split_in_halves():
    ids, classes = [f"{place}" for place in range(1000)], np.arange(1000) % 2
    for labels in (2, 32, 128, 512):
        assert np.bincount(classes[draw_subset(ids, classes, labels=labels, seed=1)]).tolist() == [labels // 2] * 2


def test_another_seed_deals_another_subset():
    ids, classes = [f"{place}" for place in range(1000)], np.arange(1000) % 2
    subset, other = (set(draw_subset(ids, classes, labels=100, seed=seed).tolist()) for seed in (0, 1))
    shared, expected = len(subset & other), 100 * 100 / 1000
    assert abs(shared - expected) < 4 * math.sqrt(expected)


def test_a_cell_sees_its_labels_as_many_of_validation_at_most_and_the_whole_test_split():
    sizes = {
        labels: [len(part.ids) for part in draw_budget(make_examples(), labels=labels, seed=0)[1:]]
        for labels in (4, 20, "all")
    }
    assert sizes == {4: [4, 4, 15], 20: [20, 15, 15], "all": [60, 15, 15]}


def test_each_part_is_of_its_own_split():
    table = make_examples()
    budget = draw_budget(table, labels="all", seed=0)
    split = dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))
    for name in ("train", "validation", "test"):
        assert {split[key] for key in getattr(budget, name).ids} == {name}


def test_texts_and_classes_stay_with_their_ids_and_the_test_rows_are_by_id():
    table = make_examples()
    budget = draw_budget(table, labels=12, seed=0)
    texts = dict(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))
    assert budget.class_names == ("no", "yes")
    for part in budget[1:]:
        assert part.texts == [texts[key] for key in part.ids]
        assert part.classes.tolist() == [int("good" in text) for text in part.texts]
    assert budget.test.ids == sorted(budget.test.ids)


def test_the_order_of_the_rows_does_not_matter_to_a_budget():
    mixed = np.random.default_rng(0).permutation(90).tolist()
    budget, other = (draw_budget(table, labels=12, seed=1) for table in (make_examples(), make_examples(order=mixed)))
    for part, same in zip(budget[1:], other[1:], strict=True):
        assert part.ids == same.ids
        assert part.texts == same.texts
        assert part.classes.tolist() == same.classes.tolist()


def test_more_labels_than_rows_is_refused():
    with pytest.raises(UsageError, match=r"`labels` has 3.* 2 examples"):
        draw_subset(["a", "b"], np.array([0, 1]), labels=3, seed=0)
    with pytest.raises(UsageError, match=r"`labels` has 61.* 60 examples"):
        draw_budget(make_examples(), labels=61, seed=0)
