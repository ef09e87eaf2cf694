"""The rows of raw files: their wanted columns as text, with the place of each row."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import DataError
from pipeline.examples.faults import Faults, RowErrors, RowFault
from pipeline.examples.text import SURROGATES
from pipeline.settings.fields import Split
from pipeline.settings.ingest import Holds

# The line a row starts in (from 1; in Parquet, which has no lines, the number of the row), and its wanted cells.
RawRow = tuple[int, Sequence[Any]]

SEVERAL_VALUES = "It looks like several labels in a row, and a text has one class here: keep one of them."
ARROW_TYPES: dict[Holds, pa.DataType] = {
    "cell": pa.large_string(),
    "text": pa.large_string(),
    "cells": pa.large_list(pa.large_string()),
    "texts": pa.large_list(pa.large_string()),
    "bytes": pa.large_binary(),
    "json": pa.large_string(),
}
_BATCH_ROWS = 4096
_BATCH_CHARACTERS = 1 << 24


# Where a row starts: its line, from 1; of several files FILE:LINE.
Place = int | str


class Oversized(NamedTuple):
    """Stands for a cell that was too long to be kept: its size in bytes of UTF-8."""

    size: int


class Part(NamedTuple):
    """One of the files that records come from: its name in messages ("" for an only file), its rows, its split."""

    name: str
    rows: int
    split: Split | None = None


class Records(NamedTuple):
    """The wanted columns of a file, or of several in order.

    Args:
        file: The path of the file, or of the folder of several.
        lines: Line of its file where each row starts, from 1, (N,) int64.
        columns: The cells by column, each (N,) of the type of what it holds (`ARROW_TYPES`); null if a row has none.
        parts: The files.
        faults: Faults of rows, which are left out; the rows that are here are whole.
    """

    file: str
    lines: pa.ChunkedArray
    columns: dict[str, pa.ChunkedArray]
    parts: tuple[Part, ...]
    faults: tuple[str, ...] = ()

    def lists(self, column: str) -> list[list[str]]:
        """Return the cells of a column of lists, an empty list for null."""
        return [cell or [] for cell in self.columns[column].to_pylist()]

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column, "" for null."""
        texts: list[str] = pc.fill_null(self.columns[column], "").to_pylist()
        return texts

    def lines_of(self, rows: Sequence[int]) -> list[int]:
        """Return the lines where these rows start."""
        lines: list[int] = self.lines.take(pa.array(rows, pa.int64())).to_pylist()
        return lines

    def files_of(self, rows: Sequence[int]) -> list[str]:
        """Return the names of the files that these rows come from."""
        ends = list(accumulate(part.rows for part in self.parts))
        return [self.parts[bisect_right(ends, row)].name for row in rows]

    def places_of(self, rows: Sequence[int]) -> list[Place]:
        """Return where these rows start."""
        lines = self.lines_of(rows)
        if not self.parts[0].name:
            return [*lines]
        return [f"{file}:{line}" for file, line in zip(self.files_of(rows), lines, strict=True)]

    def sides(self) -> list[Split] | None:
        """Return the split of each row by its file; None if files have none."""
        return [part.split for part in self.parts if part.split for _ in range(part.rows)] or None

    def fault(self, what: str, rows: Iterable[tuple[int, object]], remedy: str, *, column: str) -> RowErrors:
        """Return the error about `rows`, each a row's index and the value to show (see `RowFault`)."""
        fault, known = RowFault(self.file, what, column=column), list(rows)
        for place, (_, value) in zip(self.places_of([row for row, _ in known]), known, strict=True):
            fault.add(place, value)
        return fault.error(remedy)


def collect_records(rows: Iterable[RawRow], *, file: str, columns: Mapping[str, Holds], max_cell_bytes: int) -> Records:
    """Return `rows`, whose cells are as their columns hold, None or `Oversized`; a batch of rows is held beside them.

    The faults of rows that `rows` ends with are kept in the records. After a cell that cannot be kept, no more cells of
    its column are: the others are only checked.

    Raises:
        DataError: There are no rows.
        RowErrors: There are lone surrogates, or cells of more than `max_cell_bytes` bytes of UTF-8.
    """
    checked = {name: _Cells(file, name, holds, max_cell_bytes) for name, holds in columns.items()}
    lines: list[pa.Array] = []
    faults = Faults()
    with faults.gather():
        for batch in _batch(rows):
            numbers, cells = zip(*batch, strict=True)
            lines.append(pa.array(numbers, pa.int64()))
            for column, values in zip(checked.values(), zip(*cells, strict=True), strict=True):
                column.append(numbers, values)
    errors = tuple(faults.errors)
    for column in checked.values():
        with faults.gather():
            column.check()
    if len(faults.errors) > len(errors):
        faults.check()
    if not lines and not errors:
        raise DataError(f"{file}: found no rows. Provide a file with at least one row.")
    numbers = pa.chunked_array(lines, pa.int64())
    return Records(
        file, numbers, {name: cells.finish() for name, cells in checked.items()}, (Part("", len(numbers)),), errors
    )


def join_records(file: str, records: Sequence[tuple[str, Split | None, Records]]) -> Records:
    """Return the records of several files, each after its name and split, as those of the folder `file`."""
    lines = pa.chunked_array([chunk for _, _, part in records for chunk in part.lines.chunks], pa.int64())
    columns = {
        name: pa.chunked_array([chunk for _, _, part in records for chunk in part.columns[name].chunks], column.type)
        for name, column in records[0][2].columns.items()
    }
    parts = tuple(Part(name, len(part.lines), split) for name, split, part in records)
    return Records(file, lines, columns, parts, tuple(fault for _, _, part in records for fault in part.faults))


def places_of(examples: pa.Table) -> list[Place | None]:
    """Return where in the raw files each of the examples starts; None if its line is missing."""
    lines: list[int | None] = examples["row"].to_pylist()
    if "file" not in examples.column_names:
        return [*lines]
    files = examples["file"].to_pylist()
    return [None if line is None else f"{file}:{line}" for file, line in zip(files, lines, strict=True)]


def _batch(rows: Iterable[RawRow]) -> Iterator[list[RawRow]]:
    """Yield the rows in batches of `_BATCH_ROWS` at most, closed early by the row with which they are large."""
    batch: list[RawRow] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += sum(_size(cell) for cell in row[1])
        if len(batch) == _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _size(cell: object) -> int:
    """Return the characters or bytes of a cell, those of a list together."""
    return sum(map(_size, cell)) if isinstance(cell, list) else len(cell) if isinstance(cell, str | bytes) else 0


def _weigh(cell: Any) -> int:
    """Return the bytes of a cell in UTF-8, those of a list together."""
    if isinstance(cell, list):
        return sum(map(_weigh, cell))
    return cell.size if isinstance(cell, Oversized) else len(cell if isinstance(cell, bytes) else (cell or "").encode())


def _find_surrogates(cell: Any) -> bool:
    parts = cell if isinstance(cell, list) else [cell]
    return any(isinstance(part, str) and SURROGATES.search(part) for part in parts)


class _Cells:
    """The cells of one column, and those that cannot be kept."""

    def __init__(self, file: str, name: str, holds: Holds, max_bytes: int) -> None:
        self._chunks: list[pa.Array] = []
        self._type = ARROW_TYPES[holds]
        self._max_bytes = max_bytes
        self._broken = RowFault(file, "with a lone surrogate (half a character)", column=name)
        self._huge = RowFault(file, f"with more than {max_bytes} bytes", column=name)

    def append(self, lines: Sequence[int], cells: Sequence[Any]) -> None:
        try:
            chunk = pa.array(cells, self._type)
        except (UnicodeEncodeError, pa.ArrowTypeError, pa.ArrowInvalid):
            self._count_faults(lines, cells)
            return
        if self._longest(chunk, cells) > self._max_bytes:
            self._count_faults(lines, cells)
        elif not self._broken.count and not self._huge.count:
            self._chunks.append(chunk)

    def _longest(self, chunk: pa.Array, cells: Sequence[Any]) -> int:
        if pa.types.is_large_list(self._type):
            return max(map(_weigh, cells), default=0)
        return pc.max(pc.binary_length(chunk)).as_py() or 0

    def _count_faults(self, lines: Sequence[int], cells: Sequence[Any]) -> None:
        self._chunks.clear()
        for line, cell in zip(lines, cells, strict=True):
            if _find_surrogates(cell):
                self._broken.add(line, cell)
                continue
            size = _weigh(cell)
            if size > self._max_bytes:
                self._huge.add(line, f"{size} bytes")

    def check(self) -> None:
        faults = Faults()
        with faults.gather():
            self._broken.check("It stands for no character: export the file again as UTF-8, or remove it.")
        with faults.gather():
            self._huge.check("Look for a missing quote or line end, or raise `max_cell_bytes`.")
        faults.check()

    def finish(self) -> pa.ChunkedArray:
        return pa.chunked_array(self._chunks, self._type)
