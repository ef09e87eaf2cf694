import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.core.tables import described
from pipeline.diff.common import matched, predictions
from pipeline.evaluate.metrics import headline

LABELS = ("a", "b", "c")


def table(rows: dict[str, tuple[str, str]], labels=LABELS, **more) -> pa.Table:
    """Return predictions of `{id: (label, predicted)}`."""
    probabilities = [[0.8 if one == said else 0.2 / (len(labels) - 1) for one in labels] for _, said in rows.values()]
    columns = {"id": list(rows), "label": [label for label, _ in rows.values()], "probabilities": probabilities} | more
    return described(pa.table(columns), task="t", labels=labels)


def test_common_examples_are_found_by_their_ids_in_any_order():
    base = predictions(table({"1": ("a", "a"), "2": ("b", "a"), "3": ("c", "c")}))
    head = predictions(table({"3": ("c", "b"), "4": ("a", "a"), "2": ("b", "b")}))
    found = matched(base, head, bins=10)
    assert found is not None
    assert found.ids == ["3", "2"]
    assert found.pair.base.right.tolist() == [True, False]
    assert found.pair.head.right.tolist() == [False, True]
    assert found.relabelled == 0


def test_both_are_judged_by_the_classes_of_the_head():
    base = predictions(table({"1": ("a", "a"), "2": ("b", "b")}))
    head = predictions(table({"1": ("b", "b"), "2": ("b", "b")}))
    found = matched(base, head, bins=10)
    assert found is not None
    assert found.relabelled == 1
    assert found.pair.base.right.tolist() == [False, True]


def test_a_class_that_is_new_or_gone_has_its_place():
    base = predictions(table({"1": ("a", "a"), "2": ("old", "old")}, ("a", "old")))
    head = predictions(table({"1": ("new", "new"), "2": ("a", "a")}, ("new", "a")))
    found = matched(base, head, bins=10)
    assert found is not None
    assert found.labels == ("new", "a", "old")
    assert found.relabelled == 2
    assert found.pair.base.right.tolist() == [False, False]
    assert np.isfinite(headline(found.pair.base, np.ones(2))).all()


def test_nothing_in_common_is_nothing():
    assert matched(predictions(table({"1": ("a", "a")})), predictions(table({"2": ("a", "a")})), bins=2) is None


@given(st.dictionaries(st.sampled_from("pqrstuv"), st.tuples(*[st.sampled_from(LABELS)] * 2), min_size=1))
def test_a_revision_matches_itself(rows):
    one = predictions(table(rows))
    found = matched(one, one, bins=10)
    assert found is not None
    assert found.ids == list(rows)
    assert (
        found.pair.base.right.tolist() == found.pair.head.right.tolist() == [one == two for one, two in rows.values()]
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (pa.table({"id": ["1"]}), "not what `evaluate` writes"),
        (table({"1": ("z", "a")}), "1 predictions are none of the classes"),
        (table({"1": ("a", "a"), "2": ("a", "a")}, id=["1", "1"]), "repeat the ids '1'"),
        (table({"1": ("a", "a")}, probabilities=[[float("nan"), 0.5, 0.5]]), "not numbers in [0, 1]"),
        (table({"1": ("a", "a")}, probabilities=[[0.5, 0.5]]), "not what `evaluate` writes"),
    ],
)
def test_what_are_no_predictions_is_refused(wrong, message):
    with pytest.raises(DataError) as caught:
        predictions(wrong)
    assert message in str(caught.value)
