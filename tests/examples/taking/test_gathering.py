from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.tables import write_parquet
from pipeline.examples.taking.gathering import GROUP_BYTES, GROUP_ROWS, join_row_groups


@given(st.lists(st.integers(0, 30), min_size=1), st.integers(1, 20))
def test_groups_have_as_many_rows_as_they_may(sizes: list[int], most: int) -> None:
    whole = pa.table({"a": pa.array(range(sum(sizes)), pa.int64())})
    tables = [whole.slice(sum(sizes[:place]), size) for place, size in enumerate(sizes)]
    groups = [*join_row_groups(tables, most_rows=most)]
    assert [group.num_rows for group in groups[:-1]] == [most] * (len(groups) - 1)
    assert all(0 < group.num_rows <= most and group["a"].num_chunks == 1 for group in groups)
    assert [value for group in groups for value in group["a"].to_pylist()] == whole["a"].to_pylist()


def test_a_group_of_large_rows_is_closed_early() -> None:
    rows = [pa.table({"a": ["x" * 100]})] * 10
    assert [group.num_rows for group in join_row_groups(rows, most_bytes=300)] == [3, 3, 3, 1]


@pytest.mark.parametrize("rows", [1, 5000, GROUP_ROWS + 5000])
def test_the_bytes_are_those_of_the_whole_table(tmp_path: Path, rows: int) -> None:
    table = pa.table({"a": pa.array(range(rows)), "b": pa.array([str(row % 77) for row in range(rows)])})
    pieces = [table.slice(start, 4096) for start in range(0, rows, 4096)]
    write_parquet(tmp_path / "pieces", join_row_groups(pieces))
    pq.write_table(table, tmp_path / "whole", compression="zstd")
    assert table.nbytes < GROUP_BYTES
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()
