"""What columns hold, and which of them may be the text, the label and the split."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.project.columns import is_split, list_labels, list_texts, measure_columns

SENTENCES = [f"the parcel number {number} came late" for number in range(20)]


def measure(**columns: list[Any]):
    return measure_columns(list(columns), list(zip(*columns.values(), strict=True)))


def test_values_are_counted_as_labels_are_read():
    (column,) = measure(a=[" x", "x ", "e\u0301", "\u00e9", None, "", True])
    assert column.counts == {"x": 2, "\u00e9": 2, "true": 1}
    assert (column.filled, column.empty, column.distinct, column.is_number, column.is_nested) == (5, 2, 3, False, False)


@given(st.lists(st.text(alphabet="ab \u00e9", max_size=3)))
def test_counts_add_up(values):
    (column,) = measure_columns(["a"], [[value] for value in values])
    assert sum(column.counts.values()) == column.filled == sum(bool(value.strip()) for value in values)


def test_columns_that_share_a_name_or_have_none_are_left_out():
    assert [column.name for column in measure_columns(["a", "b", "a", ""], [["1", "2", "3", "4"]])] == ["b"]


def test_the_text_is_long_and_distinct():
    columns = measure(
        id=[f"{number:036}" for number in range(20)],
        number=list(map(str, range(20))),
        kind=["some long name of a class", "another long name of a class"] * 10,
        tags=[["a"]] * 20,
        mail=SENTENCES,
    )
    assert list_texts(columns) == ["mail"]
    assert list_labels(columns) == ["kind"]


def test_much_longer_texts_are_the_texts_whatever_their_name():
    assert list_texts(measure(text=SENTENCES, a=[f"{text}, {text}, {text}" for text in SENTENCES])) == ["a"]


@pytest.mark.parametrize(("names", "wanted"), [(("a", "b"), ["a", "b"]), (("title", "Body"), ["Body"])])
def test_two_texts_are_told_apart_by_a_usual_name_alone(names, wanted):
    columns = measure(**{names[0]: SENTENCES, names[1]: SENTENCES})
    assert sorted(list_texts(columns)) == sorted(wanted)


@pytest.mark.parametrize(("names", "wanted"), [(("a", "b"), ["a", "b"]), (("topic", "label"), ["label"])])
def test_two_labels_are_told_apart_by_a_usual_name_alone(names, wanted):
    columns = measure(text=SENTENCES, **{name: ["x", "y"] * 10 for name in names})
    assert list_labels(columns) == wanted


def test_numbers_are_labels_only_if_there_are_no_classes():
    scores = [f"{number / 7:.3f}" for number in range(20)]
    assert list_labels(measure(text=SENTENCES, score=scores)) == ["score"]
    assert list_labels(measure(text=SENTENCES, score=scores, kind=["x", "y"] * 10)) == ["kind"]


def test_without_a_likely_column_a_usual_name_counts():
    columns = measure(a=["x"] * 20, text=["y"] * 20, label=["z"] * 20)
    assert list_texts(columns) == ["text"]
    assert list_labels(columns) == ["label"]
    assert list_labels(columns[:2]) == ["a", "text"]


@pytest.mark.parametrize(
    ("values", "is_one"),
    [
        (["train", "test"], True),
        (["train", "validation", "test", "train"], True),
        (["train", "validation"], False),
        (["train", "test", "dev"], False),
    ],
)
def test_a_split_has_train_test_and_no_other_name(values, is_one):
    (column,) = measure(part=values)
    assert is_split(column) == is_one


def test_a_split_is_no_label():
    columns = measure(text=SENTENCES, part=["train", "test"] * 10, kind=["x", "y"] * 10)
    assert list_labels(columns) == ["kind"]
