import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import EnvironmentFault
from pipeline.core.tables import (
    describe,
    labels_of,
    read_arrow,
    read_parquet,
    regroup,
    stream_parquet,
    task_of,
    write_arrow,
    write_parquet,
)

TABLE = describe(
    pa.table({"id": ["a", "b"], "input_ids": pa.array([[1, 2], []], pa.list_(pa.int32()))}),
    task="t",
    labels=("ü", "no"),
)


def write_arrow_table(path, table):
    write_arrow(path, table.schema, table.to_batches())


@pytest.mark.parametrize(("write", "read"), [(write_parquet, read_parquet), (write_arrow_table, read_arrow)])
def test_content_and_description_come_back_and_the_bytes_repeat(tmp_path, write, read):
    write(tmp_path / "one", TABLE)
    write(tmp_path / "two", TABLE)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found = read(tmp_path / "one")
    assert found.equals(TABLE)
    assert labels_of(found) == ("ü", "no")
    assert task_of(found) == "t"


@pytest.mark.parametrize("read", [read_parquet, read_arrow])
@pytest.mark.parametrize("content", [None, b"", b"not a table"])
def test_a_missing_or_damaged_file_is_an_environment_fault(tmp_path, read, content):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFault, match=r"/file: .*`dvc repro`"):
        read(path)


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_a_stream_gives_the_rows_in_order_and_the_description(tmp_path, rows):
    table = describe(pa.table({"a": list("abcdefg"), "b": range(7)}), task="t", labels=("x",))
    write_parquet(tmp_path / "p", table)
    schema, batches = stream_parquet(tmp_path / "p", ("b",), rows=rows)
    found = list(batches)
    assert labels_of(schema) == ("x",)
    assert max(batch.num_rows for batch in found) <= rows
    assert pa.Table.from_batches(found).to_pydict() == {"b": list(range(7))}


def test_a_damaged_part_of_a_stream_is_an_environment_fault(tmp_path):
    write_parquet(tmp_path / "p", pa.table({"a": [f"{i * 7919 % 100003}" for i in range(50_000)]}))
    content = bytearray((tmp_path / "p").read_bytes())
    content[1000:3000] = bytes(2000)
    (tmp_path / "p").write_bytes(content)
    _, batches = stream_parquet(tmp_path / "p", ("a",), rows=100)
    with pytest.raises(EnvironmentFault, match=r"/p: .*`dvc repro`"):
        list(batches)
    with pytest.raises(EnvironmentFault, match=r"/none: .*`dvc repro`"):
        stream_parquet(tmp_path / "none", ("a",), rows=100)


@given(st.lists(st.integers(0, 9), max_size=9), st.integers(1, 12))
def test_regrouped_rows_do_not_tell_how_they_came(sizes, rows):
    whole = pa.record_batch({"a": range(sum(sizes))})
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    found = list(regroup((whole.slice(start, size) for start, size in zip(starts, sizes, strict=True)), rows))
    assert [batch.num_rows for batch in found[:-1]] == [rows] * len(found[:-1])
    assert all(0 < batch.num_rows <= rows for batch in found)
    assert [value for batch in found for value in batch["a"].to_pylist()] == list(range(sum(sizes)))
