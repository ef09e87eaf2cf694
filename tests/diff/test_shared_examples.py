# Module snapshot only holds the values that test_compare.py makes.
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.core.tables import describe
from pipeline.diff.shared_examples import find_common_examples, match_predictions, parse_predictions
from pipeline.evaluate.kind import compute_metrics
from pipeline.kinds.text_classification.measures import MEASURES
from pipeline.kinds.text_classification.settings import TextEvaluateParams

LABELS = ("a", "b", "c")
PARAMS = TextEvaluateParams(
    task="t", confidence=0.9, resamples=100, bins=10, length_edges=(), slices=(), min_slice_rows=1, worst=5, points=0,
    queries=0, neighbours=1, seed=0,
)  # fmt: skip


def table(rows: dict[str, tuple[str, str]], labels=LABELS, **more) -> pa.Table:
    """Return predictions of `{id: (label, predicted)}`."""
    wrong = 0.2 / (len(labels) - 1)
    columns = {
        "id": list(rows),
        "label": pa.array([labels.index(label) for label, _ in rows.values()], pa.int64()),
        "predicted": pa.array([labels.index(predicted) for _, predicted in rows.values()], pa.int64()),
        "probabilities": [[0.8 if label == predicted else wrong for label in labels] for _, predicted in rows.values()],
    }
    return describe(pa.table(columns | more), task="t", labels=labels)


def common(base: pa.Table, head: pa.Table):
    sides = (parse_predictions(MEASURES, PARAMS, side) for side in (base, head))
    return find_common_examples(MEASURES, PARAMS, *sides)


def test_common_examples_are_found_by_their_ids_in_any_order():
    shared = common(
        table({"1": ("a", "a"), "2": ("b", "a"), "3": ("c", "c")}),
        table({"3": ("c", "b"), "4": ("a", "a"), "2": ("b", "b")}),
    )
    assert shared is not None
    assert shared.ids == ["3", "2"]
    assert shared.pair.base.right.tolist() == [True, False]
    assert shared.pair.head.right.tolist() == [False, True]
    assert shared.relabelled == 0


def test_both_are_judged_by_the_classes_of_the_head():
    shared = common(table({"1": ("a", "a"), "2": ("b", "b")}), table({"1": ("b", "b"), "2": ("b", "b")}))
    assert shared is not None
    assert shared.relabelled == 1
    assert shared.pair.base.right.tolist() == [False, True]


def test_a_class_that_is_new_or_gone_has_its_place():
    shared = common(
        table({"1": ("a", "a"), "2": ("old", "old")}, ("a", "old")),
        table({"1": ("new", "new"), "2": ("a", "a")}, ("new", "a")),
    )
    assert shared is not None
    assert shared.pair.base.classes == 3
    assert shared.relabelled == 2
    assert shared.pair.base.right.tolist() == [False, False]
    assert np.isfinite(compute_metrics(MEASURES, shared.pair.base)).all()


def test_nothing_in_common_is_nothing():
    base, head = table({"1": ("a", "a")}), table({"2": ("a", "a"), "3": ("a", "a")})
    assert common(base, head) is None
    match = match_predictions(MEASURES, PARAMS, base, head)
    assert (match.common, match.faults) == (None, (None, None))
    assert match.rows is not None
    assert (match.rows.base, match.rows.head, match.rows.common, match.rows.relabelled) == (1, 2, 0, 0)


@given(st.dictionaries(st.sampled_from("pqrstuv"), st.tuples(*[st.sampled_from(LABELS)] * 2), min_size=1))
def test_a_revision_matches_itself(rows):
    shared = common(table(rows), table(rows))
    assert shared is not None
    assert shared.ids == list(rows)
    right = [label == predicted for label, predicted in rows.values()]
    assert shared.pair.base.right.tolist() == shared.pair.head.right.tolist() == right


NAMED = pa.table({"id": ["1"], "label": ["a"], "predicted": ["a"], "probabilities": [[0.8, 0.1, 0.1]]})


@pytest.mark.parametrize(
    ("wrong", "facts"),
    [
        (pa.table({"id": ["1"]}), "`evaluate`"),
        (pa.table({"id": ["1"], "label": [0], "probabilities": [[0.8, 0.1, 0.1]]}), "`evaluate`"),
        (describe(NAMED, task="t", labels=LABELS), "`label` holds string"),
        (table({"1": ("a", "a")}, label=[3]), "from 0 to 2"),
        (table({"1": ("a", "a"), "2": ("a", "a")}, id=["1", "1"]), "duplicate ids: '1'"),
        (table({"1": ("a", "a")}, probabilities=[[float("nan"), 0.5, 0.5]]), "1 of 1 rows"),
        (table({"1": ("a", "a")}, probabilities=[[0.5, 0.5]]), "2 probabilities"),
    ],
)
def test_what_are_no_predictions_is_refused_and_a_fault_of_its_side(wrong, facts):
    with pytest.raises(DataError) as caught:
        parse_predictions(MEASURES, PARAMS, wrong)
    assert facts in str(caught.value)
    match = match_predictions(MEASURES, PARAMS, wrong, table({"1": ("a", "a")}))
    assert (match.base, match.rows, match.common) == (None, None, None)
    assert match.head is not None
    assert facts in (match.faults[0] or "")
    assert match.faults[1] is None
    assert facts in (match_predictions(MEASURES, PARAMS, None, wrong).faults[1] or "")
