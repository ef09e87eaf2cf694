from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks import chunks
from pipeline.checks.chunks import chunk_file, select_train
from pipeline.core.errors import EnvironmentFault
from pipeline.core.tables import labels_of, write_parquet
from tests.given.validating import CLASSES, good_rows, make_chunks, make_table

TABLE = pa.table({"row": range(20), "words": [["a"] * (at % 3) for at in range(20)]})


def whole(read) -> pa.Table:
    return pa.concat_tables(read)


def test_a_file_is_read_some_rows_at_a_time_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, path = make_table(good_rows()), tmp_path / "examples.parquet"
    write_parquet(path, table)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 50)
    found = chunk_file(path)
    assert labels_of(found.schema) == CLASSES
    for _ in range(2):
        parts = list(found.read("text", "id"))
        assert [part.num_rows for part in parts] == [50, 50, 20]
        assert whole(parts).equals(table.select(["text", "id"]).replace_schema_metadata(parts[0].schema.metadata))
    texts = found.values("text")
    assert list(texts) == list(texts) == table["text"].to_pylist()


def test_large_rows_are_read_fewer_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "examples.parquet"
    write_parquet(path, pa.table({"image": [bytes([at]) * 1000 for at in range(64)], "row": range(64)}))
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 10_000)
    parts = list(chunk_file(path).read("image"))
    assert max(part.num_rows for part in parts) < 12
    assert whole(parts)["image"].to_pylist()[63] == bytes([63]) * 1000


def test_a_file_without_rows_has_no_chunks(tmp_path: Path) -> None:
    path = tmp_path / "examples.parquet"
    write_parquet(path, make_table([]))
    assert list(chunk_file(path).read("text")) == []


@pytest.mark.parametrize("content", [None, b"", b"PAR1 no more"])
def test_a_missing_or_damaged_file_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "examples.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFault, match=r"examples\.parquet"):
        chunk_file(path)


def test_columns_are_derived_of_what_is_read() -> None:
    counted = make_chunks(TABLE, 3).derive("count", ("words",), lambda chunk: pc.list_value_length(chunk["words"]))
    assert whole(counted.read("count"))["count"].to_pylist() == [at % 3 for at in range(20)]
    assert whole(counted.read("count", "row")).column_names == ["count", "row"]
    assert whole(counted.read("row")).column_names == ["row"]
    few = counted.filter(("count",), lambda chunk: pc.equal(chunk["count"], 2))
    assert list(few.values("row")) == list(range(2, 20, 3))


@given(st.sets(st.integers(0, 19)), st.integers(1, 25), st.integers(1, 3))
def test_marks_are_where_they_were_put(positions: set[int], rows: int, every: int) -> None:
    kept = make_chunks(TABLE, rows).filter(
        ("row",), lambda chunk: pa.array([at.as_py() % every == 0 for at in chunk["row"]])
    )
    left = list(range(0, 20, every))
    marked = kept.mark("here", np.array(sorted(positions), np.int64))
    assert list(marked.values("here")) == [at in positions for at in range(len(left))]
    assert list(marked.values("row")) == left


def test_train_is_what_says_so() -> None:
    table = pa.table({"split": ["train", None, "test", "train"], "row": range(4)})
    assert list(select_train(make_chunks(table, 3)).values("row")) == [0, 3]
