import math
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.core.format import visible
from pipeline.core.tables import describe
from pipeline.diff.changes import (
    CHANGE_WIDTH,
    compare_findings,
    compare_rows,
    compare_values,
    finite_number,
    flatten,
    learning_curve,
    parse_rows,
    sanitize,
)
from pipeline.diff.document import MOST_ROWS
from pipeline.kinds.text_classification.measures import MEASURES

LABELS = ("x", "y", "z")


def examples(labels=LABELS, **rows: tuple[str, str]) -> pa.Table:
    """Return examples of `{id: (split, class name)}`."""
    columns = {
        "id": list(rows),
        "split": [split for split, _ in rows.values()],
        "label": pa.array([labels.index(label) for _, label in rows.values()], pa.int64()),
    }
    return describe(pa.table(columns), task="t", labels=labels)


def test_values_that_differ_are_named_once():
    changes = compare_values({"a": "1", "b": "2", "gone": "3"}, {"b": "4", "a": "1", "new": "5"})
    assert [(change.name, change.base, change.head) for change in changes] == [
        ("b", "2", "4"),
        ("new", None, "5"),
        ("gone", "3", None),
    ]


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_changes_are_none_for_equals_and_mirror_each_other(one, other):
    assert compare_values(one, one) == []
    there, back = compare_values(one, other), compare_values(other, one)
    assert {(a.base, a.head) for a in there} == {(b.head, b.base) for b in back}
    assert all(len(value or "") <= CHANGE_WIDTH for a in there for value in (a.name, a.base, a.head))


def test_a_document_is_flat():
    assert flatten({"a": {"b": 1, "c": []}, "d": None, "e": {}}) == {"a.b": "1", "a.c": "[]", "d": "null", "e": "{}"}


@given(st.text())
def test_a_word_is_one_visible_line(text):
    assert visible(sanitize(text)) == sanitize(text)
    assert len(sanitize(text).splitlines()) <= 1


def test_rows_are_added_removed_relabelled_and_moved():
    """The classes of the head stand in another order: names are compared, and not their indices."""
    base = parse_rows(MEASURES, examples(a=("test", "x"), b=("test", "x"), c=("train", "y"), d=("train", "y")))
    head = parse_rows(
        MEASURES,
        examples(
            ("z", "y", "x"),
            b=("test", "z"), c=("test", "y"), d=("train", "y"), e=("test", "x"), f=("train", "x"),
        )
    )  # fmt: skip
    test, train = (next(row for row in compare_rows(base, head) if row.split == name) for name in ("test", "train"))
    assert (test.base, test.head, test.added, test.removed, test.relabelled, test.moved) == (2, 3, 1, 1, 1, 1)
    assert (train.base, train.head, train.added, train.removed, train.relabelled, train.moved) == (2, 2, 1, 0, 0, 0)
    assert compare_rows(base, base) == []


@pytest.mark.parametrize(
    ("wrong", "facts"),
    [
        (pa.table({"id": ["a"], "split": ["test"], "label": ["x"]}), "`label` holds string"),
        (pa.table({"id": ["a"], "split": ["test"]}), "label"),
        (pa.table({"id": ["a"], "split": ["test"], "label": [0]}), "TypeError"),
        (examples(a=("test", "x")).drop_columns("split"), "split"),
        (describe(pa.table({"id": ["a"], "split": ["test"], "label": [7]}), task="t", labels=LABELS), "7"),
    ],
)
def test_what_are_no_examples_of_this_version_is_refused(wrong, facts):
    with pytest.raises(DataError) as caught:
        parse_rows(MEASURES, wrong)
    assert facts in str(caught.value)


def test_checks_that_still_pass_are_left_out():
    def checks(*rows):
        return {"checks": [dict(zip(("title", "outcome", "found"), row, strict=True)) for row in rows]}

    base = checks(("rows", "passed", "10"), ("drift", "passed", "0.01"), ("old", "failed", "3"))
    head = checks(("rows", "passed", "11"), ("drift", "failed", "0.3"), ("old", "failed", "3"))
    assert [(change.name, change.base, change.head) for change in compare_findings(base, head)] == [
        ("drift", "passed: 0.01", "failed: 0.3")
    ]
    assert compare_findings({}, {}) == []


def test_a_history_of_another_shape_gives_no_curve():
    assert learning_curve(None) == learning_curve({"evaluations": [{"loss": 1.0}]}) == ()
    assert learning_curve({"evaluations": None}) == learning_curve({}) == ()
    for evaluations in (
        {"step": 3},
        {},
        5,
        "x",
        ["x", 5, None, [3]],
        [{"step": -1}],
        [{"step": True}],
        [{"step": 1e3}],
    ):
        assert learning_curve({"evaluations": evaluations}) == ()
    assert learning_curve({"evaluations": [{"step": 10**11}, {"step": 10**400}]}) == ()
    losses = [0.5, None, "x", [], True, math.inf, math.nan, 10**400]
    points = learning_curve({"evaluations": [{"step": at, "loss": loss} for at, loss in enumerate(losses)]})
    assert [(point.step, point.loss) for point in points] == [*enumerate([0.5, *[None] * 7])]


def test_findings_of_another_shape_are_left_out():
    good = {"title": "rows", "outcome": "failed", "found": "3"}
    for checks in (5, "x", None, {}, ["x", 5, None, {}, [good]], [good | {"title": 3}], [good | {"found": [[]]}]):
        assert compare_findings({"checks": checks}, {"checks": checks}) == []
        assert [change.name for change in compare_findings({"checks": checks}, {"checks": [good]})] == ["rows"]
    many = [good | {"title": f"t{number}"} for number in range(MOST_ROWS + 3)]
    assert len(compare_findings({}, {"checks": many})) == MOST_ROWS


@pytest.mark.parametrize(
    ("value", "number"), [(1, 1.0), (0.5, 0.5), (-3, -3.0), (sys.float_info.max, sys.float_info.max)]
)
def test_a_finite_number_is_one(value, number):
    assert finite_number(value) == number


@pytest.mark.parametrize("value", [True, None, "1", [1], math.inf, -math.inf, math.nan, 10**400])
def test_what_is_no_finite_number_is_none(value):
    assert finite_number(value) is None


def test_a_long_history_keeps_its_end():
    points = learning_curve({"evaluations": [{"step": step, "loss": 0.5} for step in range(MOST_ROWS + 3)]})
    assert [point.step for point in points] == list(range(3, MOST_ROWS + 3))
