from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.core.tables import describe
from pipeline.evaluate.align import align, require_classes, select_split, to_matrix, to_vectors

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
    return describe(pa.table(values | columns), task=task, labels=labels)


def test_a_split_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="toy: no test row"):
        select_split(example_table(2), "test")


@given(st.permutations(range(9)))
def test_rows_are_aligned_by_id_whatever_their_order(order: list[int]) -> None:
    table = example_table(9)
    found = align(table.take(order), ["id2", "id5", "id8"], like=table, what="tokens")
    assert found["text"].to_pylist() == ["text 2", "text 5", "text 8"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["id2", "id5", "id9"], "2 test rows for 3; missing ids: 'id9'; unknown ids: none"),
        (["id2"], "2 test rows for 1; missing ids: none; unknown ids: 'id5'"),
        (["id2", "id2", "id5"], "2 test rows for 3"),
        (["id2", "id3"], "missing ids: 'id3'; unknown ids: 'id5'"),
    ],
)
def test_other_ids_are_refused(ids: list[str], message: str) -> None:
    with pytest.raises(DataError, match=f"tokens: .*{message}.*dvc repro"):
        align(example_table(), ids, like=example_table(), what="tokens")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"labels": ("spam", "ham")}, r'classes \["spam", "ham"\].* \["ham", "spam"\]'),
        ({"task": "other"}, "task other.* toy"),
    ],
)
def test_another_task_or_other_classes_are_refused(other: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"baselines: {message}.*dvc repro"):
        align(example_table(**other), ["id2", "id5"], like=example_table(), what="baselines")


def test_other_class_indices_are_refused() -> None:
    rows = select_split(example_table(), "test")
    require_classes(pa.chunked_array([[0, 1]]), rows, what="tokens")
    with pytest.raises(DataError, match=r"tokens: 1 of 2 rows .*class.*\(ids 'id5'\)"):
        require_classes(pa.chunked_array([[0, 0]]), rows, what="tokens")


def test_matrix_of_lists() -> None:
    column = pa.chunked_array([[[0.5, 0.5]], [[0.25, 0.75], [1.0, 0.0]]])
    assert to_matrix(column[1:], classes=2, what="tfidf").tolist() == [[0.25, 0.75], [1.0, 0.0]]
    with pytest.raises(DataError, match="tfidf: 2 probabilities a row for 3 classes"):
        to_matrix(column, classes=3, what="tfidf")


def test_vectors_of_one_chunk_or_several() -> None:
    values = np.arange(12, dtype=np.float32)
    array = pa.FixedSizeListArray.from_arrays(values, 3)
    chunked = pa.chunked_array([array.slice(0, 1), array.slice(1, 3)])
    for column in (array, pa.chunked_array([array]), chunked):
        assert (to_vectors(column) == values.reshape(4, 3)).all()
    assert to_vectors(pa.chunked_array([], array.type)).shape == (0, 3)
    assert np.shares_memory(to_vectors(array), values)
