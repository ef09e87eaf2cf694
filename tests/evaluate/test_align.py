from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError, UsageError
from pipeline.core.tables import described
from pipeline.evaluate.align import aligned, class_indices, held_out, matrix, of_split, require_classes

LABELS = ("ham", "spam")


def example_table(rows: int = 6, *, labels: tuple[str, ...] = LABELS, task: str = "toy", **columns: Any) -> pa.Table:
    """Rows train, validation, test, train, ...; a column `kind` beside those of every task."""
    values = {
        "id": [f"id{row}" for row in range(rows)],
        "split": [("train", "validation", "test")[row % 3] for row in range(rows)],
        "text": [f"text {row}" for row in range(rows)],
        "label": [row % 2 for row in range(rows)],
        "row": list(range(1, rows + 1)),
        "kind": [None if row == 2 else "k" for row in range(rows)],
    }
    return described(pa.table(values | columns), task=task, labels=labels)


def test_held_out_rows_are_the_test_split_alone() -> None:
    rows = held_out(example_table(), ("kind", "label"))
    assert (rows.ids, rows.texts, rows.actual.tolist()) == (["id2", "id5"], ["text 2", "text 5"], [0, 1])
    assert rows.columns == {"kind": [None, "k"], "label": ["ham", "spam"]}


@pytest.mark.parametrize("name", ["absent", "text", "row", "id", "split"])
def test_a_slice_that_is_no_column_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"names '{name}'.*toy.*they have 'label', 'kind'.*ingest\.keep"):
        held_out(example_table(), (name,))


def test_a_split_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="toy has no test row"):
        of_split(example_table(2), "test")


@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=20))
def test_class_indices_point_at_the_labels(labels: list[str]) -> None:
    found = class_indices(example_table(len(labels), label=labels))
    assert found.dtype == np.int64
    assert [LABELS[index] for index in found] == labels


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(DataError, match=r"1 rows of toy have labels 'eggs'; the classes are 'ham', 'spam'"):
        class_indices(example_table(3, label=["ham", "eggs", "spam"]))


@given(st.permutations(range(9)))
def test_rows_are_aligned_by_id_whatever_their_order(order: list[int]) -> None:
    table = example_table(9)
    found = aligned(table.take(order), ["id2", "id5", "id8"], like=table, what="tokens")
    assert found["text"].to_pylist() == ["text 2", "text 5", "text 8"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["id2", "id5", "id9"], "2 test rows for 3; ids that lack: 'id9'; ids of no example: none"),
        (["id2"], "2 test rows for 1; ids that lack: none; ids of no example: 'id5'"),
        (["id2", "id2", "id5"], "2 test rows for 3"),
        (["id2", "id3"], "ids that lack: 'id3'; ids of no example: 'id5'"),
    ],
)
def test_other_ids_are_refused(ids: list[str], message: str) -> None:
    with pytest.raises(DataError, match=f"the tokens are not of these examples: .*{message}.*dvc repro"):
        aligned(example_table(), ids, like=example_table(), what="tokens")


@pytest.mark.parametrize("other", [{"labels": ("spam", "ham")}, {"task": "other"}])
def test_another_task_or_other_classes_are_refused(other: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"of the baselines: .*; of the examples: "):
        aligned(example_table(**other), ["id2", "id5"], like=example_table(), what="baselines")


def test_other_class_indices_are_refused() -> None:
    rows = held_out(example_table(), ())
    require_classes(pa.chunked_array([[0, 1]]), rows, what="tokens")
    with pytest.raises(DataError, match=r"give 1 of 2 test rows another class .*\(ids 'id5'\)"):
        require_classes(pa.chunked_array([[0, 0]]), rows, what="tokens")


def test_matrix_of_lists() -> None:
    column = pa.chunked_array([[[0.5, 0.5]], [[0.25, 0.75], [1.0, 0.0]]])
    assert matrix(column[1:], classes=2, what="tfidf").tolist() == [[0.25, 0.75], [1.0, 0.0]]
    with pytest.raises(DataError, match="have 2 numbers a row, not 3"):
        matrix(column, classes=3, what="tfidf")
