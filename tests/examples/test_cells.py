import tracemalloc
from collections.abc import Iterator

import pyarrow as pa
import pytest

from pipeline.core.errors import DataError
from pipeline.examples.cells import batch_records
from pipeline.examples.faults import RowErrors
from pipeline.examples.records import Oversized, RawRow, Records, join_records
from pipeline.settings.ingest import Holds

COLUMNS: dict[str, Holds] = {"c": "cell", "d": "cell"}


def collect(cells: list[str | Oversized | None], max_cell_bytes: int = 1000) -> Records:
    rows = ((line, (cell, "x")) for line, cell in enumerate(cells, start=2))
    return join_records([*batch_records(rows, file="f", columns=COLUMNS, max_cell_bytes=max_cell_bytes)])


def test_rows_become_columns() -> None:
    count = 10_000
    records = collect(["a", None, *("b" * (n % 7) for n in range(count))])
    assert records.columns["c"].type == pa.large_string()
    assert records.columns["c"].to_pylist() == ["a", None, *("b" * (n % 7) for n in range(count))]
    assert records.texts("c")[:2] == ["a", ""]
    assert records.columns["d"].to_pylist() == ["x"] * (count + 2)
    assert records.lines.to_pylist() == list(range(2, count + 4))
    assert records.lines_of([0, 5000, 2]) == [2, 5002, 4]


@pytest.mark.parametrize("size", [999, 1000])
def test_cells_up_to_the_cap_pass(size: int) -> None:
    assert collect(["é" * (size // 2)]).texts("c") == ["é" * (size // 2)]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([], "f: found no rows"),
        (["a", "b" * 1001], "f:3: column 'c': 1 row(s) with more than 1000 bytes (line 3): '1001 bytes'"),
        (["a", Oversized(2002)], "f:3: column 'c': 1 row(s) with more than 1000 bytes (line 3): '2002 bytes'"),
        (["é" * 501, None], "'1002 bytes'"),
        (
            ["a", "\ud800", "x\udfff"],
            "f:3: column 'c': 2 row(s) with a lone surrogate (half a character) (line 3, 4): '\\ud800'",
        ),
        (
            [*("a" for _ in range(5000)), "b" * 2000, *("a" for _ in range(5000)), "b" * 3000],
            "f:5002: column 'c': 2 row(s) with more than 1000 bytes (line 5002, 10003): '2000 bytes', '3000 bytes'",
        ),
    ],
)
def test_cells_that_cannot_be_kept_are_refused(cells: list[str | Oversized | None], words: str) -> None:
    with pytest.raises(DataError) as caught:
        collect(cells)
    assert words in str(caught.value)


def test_rows_before_faulty_ones_are_kept_however_few() -> None:
    def read() -> Iterator[RawRow]:
        yield 2, ("a", "x")
        raise RowErrors("f:3: ragged")

    (piece, last) = batch_records(read(), file="f", columns=COLUMNS, max_cell_bytes=10)
    assert piece.columns["c"].to_pylist() == ["a"]
    assert (len(last.lines), last.faults) == (0, ("f:3: ragged",))


def test_memory_is_that_of_the_columns() -> None:
    count, cell = 50_000, "some words of a text that is not short at all, and more of them"
    rows = ((line, (cell, "x")) for line in range(1, count + 1))
    tracemalloc.start()
    records = join_records([*batch_records(rows, file="f", columns=COLUMNS, max_cell_bytes=1000)])
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert records.columns["c"].nbytes > count * len(cell)


def test_memory_is_that_of_the_columns_and_a_few_long_rows() -> None:
    # 4,096 rows of a hundred kB were held at once, twice.
    count, size = 1000, 10**5
    rows = ((line, ("x" * size, "x")) for line in range(1, count + 1))
    tracemalloc.start()
    records = join_records([*batch_records(rows, file="f", columns=COLUMNS, max_cell_bytes=size)])
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()
    assert records.columns["c"].nbytes > count * size


@pytest.mark.parametrize("spoiled", ["\ud800", "b" * 2000])
def test_after_a_fault_cells_are_checked_and_not_kept(spoiled: str) -> None:
    before, peaks = pa.total_allocated_bytes(), []

    def rows() -> Iterator[tuple[int, tuple[str]]]:
        for line in range(1, 100_001):
            yield line, (spoiled if line in (1, 100_000) else "a" * 1000,)
            peaks.append(pa.total_allocated_bytes() - before)

    with pytest.raises(DataError, match=r"2 row\(s\) .*line 1, 100000"):
        [*batch_records(rows(), file="f", columns={"c": "cell"}, max_cell_bytes=1000)]
    assert max(peaks) < 10_000_000


def test_rows_come_some_at_a_time_and_then_the_faults_that_reading_ends_with() -> None:
    def rows() -> Iterator[RawRow]:
        yield from ((line, ("a", "x")) for line in range(1, 8193))
        raise RowErrors("f:7: odd. Mend.")

    pieces = [*batch_records(rows(), file="f", columns=COLUMNS, max_cell_bytes=1000)]
    assert [len(piece.lines) for piece in pieces] == [4096, 4096, 0]
    assert all(piece.partial and not piece.complete for piece in pieces)
    assert [piece.faults for piece in pieces] == [(), (), ("f:7: odd. Mend.",)]
    assert not join_records(pieces).complete
    assert join_records(pieces[:2]).complete
