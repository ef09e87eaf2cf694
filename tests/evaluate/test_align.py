from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.tables import describe, write_arrow
from pipeline.evaluate.align import VectorFile, align, require_classes, select_split, to_matrix, to_vectors

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


# ------------------------------------------------------------------------------------------------ files of vectors
ROWS, WIDTH = 40, 3
VECTORS = np.arange(ROWS * WIDTH, dtype=np.float32).reshape(ROWS, WIDTH)


def examples_at(positions: list[int], task: str = "toy") -> pa.Table:
    return describe(pa.table({"id": [f"id{at}" for at in positions]}), task=task, labels=("ham", "spam"))


def write_features(path: Path, *, rows: int) -> Path:
    """Write the vectors of all examples, `rows` of them in each record batch, beside a column that nobody asks for."""
    columns = {
        "id": [f"id{at}" for at in range(ROWS)],
        "split": ["train"] * ROWS,
        "features": pa.FixedSizeListArray.from_arrays(VECTORS.ravel(), WIDTH),
    }
    table = describe(pa.table(columns), task="toy", labels=("ham", "spam"))
    write_arrow(path, table.schema, table.to_batches(max_chunksize=rows))
    return path


@pytest.fixture(scope="module", params=[1, 7, ROWS])
def features(request, tmp_path_factory):
    return VectorFile(write_features(tmp_path_factory.mktemp("features") / "toy.arrow", rows=request.param))


@given(st.sets(st.integers(0, ROWS - 1), min_size=1).map(sorted))
def test_the_vectors_are_those_of_the_rows(features, positions):
    own = features.read(examples_at(positions), np.array(positions), total=ROWS)
    assert own.dtype == np.float32
    assert own.tolist() == VECTORS[positions].tolist()


@pytest.mark.parametrize(
    ("positions", "total", "task", "message"),
    [
        ([0, 2], ROWS, "toy", "not of these examples in their order, 1 ids differ: 'id2'"),
        ([0, 1], ROWS + 1, "toy", f"{ROWS} rows for {ROWS + 1}"),
        ([0, 1], ROWS, "other", "task toy, in the examples other"),
    ],
)
def test_features_of_other_examples_are_refused(features, positions, total, task, message):
    with pytest.raises(DataError, match=f"features: .*{message}.*dvc repro"):
        features.read(examples_at([0, 1], task), np.array(positions), total=total)


def test_a_damaged_file_is_named(tmp_path):
    path = write_features(tmp_path / "toy.arrow", rows=7)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(EnvironmentFault, match=r"toy\.arrow: could not be read.*dvc repro"):
        VectorFile(path)
    with pytest.raises(EnvironmentFault, match=r"none\.arrow: could not be read"):
        VectorFile(tmp_path / "none.arrow")


def test_what_is_read_is_no_more_than_what_is_asked_for(tmp_path):
    def count_read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    path = tmp_path / "wide.arrow"
    vectors = pa.FixedSizeListArray.from_arrays(np.zeros(2**20, np.float32), 2**14)
    table = describe(
        pa.table({"id": [str(at) for at in range(64)], "features": vectors}), task="toy", labels=("a", "b")
    )
    write_arrow(path, table.schema, table.to_batches(max_chunksize=8))
    before = count_read()
    file = VectorFile(path)
    opened = count_read()
    file.read(describe(pa.table({"id": ["9"]}), task="toy", labels=("a", "b")), np.array([9]), total=64)
    size = path.stat().st_size
    assert opened - before < size / 8
    assert size / 8 < count_read() - opened < size / 4  # one record batch
