import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.format import visible
from pipeline.diff.changes import WIDTH, changes, curves, findings_changes, flat, row_changes, word


def rows(**given: tuple[str, str]) -> pa.Table:
    return pa.table(
        {
            "id": list(given),
            "split": [split for split, _ in given.values()],
            "label": [label for _, label in given.values()],
        }
    )


def test_values_that_differ_are_named_once():
    found = changes({"a": "1", "b": "2", "gone": "3"}, {"b": "4", "a": "1", "new": "5"})
    assert [(one.name, one.base, one.head) for one in found] == [
        ("b", "2", "4"),
        ("new", None, "5"),
        ("gone", "3", None),
    ]


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_changes_are_none_for_equals_and_mirror_each_other(one, other):
    assert changes(one, one) == []
    there, back = changes(one, other), changes(other, one)
    assert {(a.base, a.head) for a in there} == {(b.head, b.base) for b in back}
    assert all(len(value or "") <= WIDTH for a in there for value in (a.name, a.base, a.head))


def test_a_document_is_flat():
    assert flat({"a": {"b": 1, "c": []}, "d": None, "e": {}}) == {"a.b": "1", "a.c": "[]", "d": "null", "e": "{}"}


@given(st.text())
def test_a_word_is_one_visible_line(text):
    assert visible(word(text)) == word(text)
    assert len(word(text).splitlines()) <= 1


def test_rows_are_added_removed_relabelled_and_moved():
    base = rows(a=("test", "x"), b=("test", "x"), c=("train", "y"), d=("train", "y"))
    head = rows(b=("test", "z"), c=("test", "y"), d=("train", "y"), e=("test", "x"), f=("train", "x"))
    test, train = (next(one for one in row_changes(base, head) if one.split == name) for name in ("test", "train"))
    assert (test.base, test.head, test.added, test.removed, test.relabelled, test.moved) == (2, 3, 1, 1, 1, 1)
    assert (train.base, train.head, train.added, train.removed, train.relabelled, train.moved) == (2, 2, 1, 0, 0, 0)
    assert row_changes(base, base) == []


def test_checks_that_still_pass_are_not_told():
    def checks(*given):
        return {"checks": [dict(zip(("title", "outcome", "found"), one, strict=True)) for one in given]}

    base = checks(("rows", "passed", "10"), ("drift", "passed", "0.01"), ("old", "failed", "3"))
    head = checks(("rows", "passed", "11"), ("drift", "failed", "0.3"), ("old", "failed", "3"))
    assert [(one.name, one.base, one.head) for one in findings_changes(base, head)] == [
        ("drift", "passed: 0.01", "failed: 0.3")
    ]
    assert findings_changes({}, {}) == []


def test_a_history_of_another_shape_gives_no_curve():
    assert curves(None, None, bins=10) == curves({"evaluations": [{"loss": 1.0}]}, None, bins=10)
    found = curves({"evaluations": [{"step": 3, "loss": 0.5}, {"step": 6, "loss": None}]}, None, bins=10)
    assert [(one.step, one.loss) for one in found.learning] == [(3, 0.5), (6, None)]
