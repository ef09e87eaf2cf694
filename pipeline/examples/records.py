"""The rows of raw files: their wanted columns as text, with the place of each row."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby, pairwise
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.examples.faults import RowErrors, RowFault
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
        partial: Whether these are some of the rows only, as many as are read at a time.
    """

    file: str
    lines: pa.ChunkedArray
    columns: dict[str, pa.ChunkedArray]
    parts: tuple[Part, ...]
    faults: tuple[str, ...] = ()
    partial: bool = False

    @property
    def complete(self) -> bool:
        """Whether all rows of the file are here, so that something that none of them has is missing from the file."""
        return not self.partial and not self.faults

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

    def take(self, rows: Sequence[int]) -> "Records":
        """Return some of the rows, rising."""
        places = pa.array(rows, pa.int64())
        ends = [0, *accumulate(part.rows for part in self.parts)]
        counts = [bisect_left(rows, end) - bisect_left(rows, start) for start, end in pairwise(ends)]
        parts = [part._replace(rows=count) for part, count in zip(self.parts, counts, strict=True)]
        return self._replace(
            lines=self.lines.take(places),
            columns={name: column.take(places) for name, column in self.columns.items()},
            parts=tuple(part for part in parts if part.rows) or (parts[0],),
        )

    def divide(self, rows: int) -> Iterator["Records"]:
        """Yield all rows in pieces of `rows` at most."""
        for start in range(0, len(self.lines), rows):
            yield self.take(range(start, min(start + rows, len(self.lines))))

    def fault(self, what: str, rows: Iterable[tuple[int, object]], remedy: str, *, column: str) -> RowErrors:
        """Return the error about `rows`, each a row's index and the value to show (see `RowFault`)."""
        fault, known = RowFault(self.file, what, column=column), list(rows)
        for place, (_, value) in zip(self.places_of([row for row, _ in known]), known, strict=True):
            fault.add(place, value)
        return fault.error(remedy)


def join_records(pieces: Sequence[Records]) -> Records:
    """Return the rows of all pieces, at least one, in their order, as those of one file or folder."""
    first = pieces[0]
    lines = pa.chunked_array([chunk for piece in pieces for chunk in piece.lines.chunks], pa.int64())
    columns = {
        name: pa.chunked_array([chunk for piece in pieces for chunk in piece.columns[name].chunks], column.type)
        for name, column in first.columns.items()
    }
    faults = tuple(fault for piece in pieces for fault in piece.faults)
    return Records(first.file, lines, columns, _join_parts(part for piece in pieces for part in piece.parts), faults)


def _join_parts(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return the parts in their order, neighbours of one name as one."""
    return tuple(
        Part(name, sum(part.rows for part in same), same[0].split)
        for name, group in groupby(parts, key=lambda part: part.name)
        if (same := [*group])
    )


def places_of(examples: pa.Table) -> list[Place | None]:
    """Return where in the raw files each of the examples starts; None if its line is missing."""
    lines: list[int | None] = examples["row"].to_pylist()
    if "file" not in examples.column_names:
        return [*lines]
    files = examples["file"].to_pylist()
    return [None if line is None else f"{file}:{line}" for file, line in zip(files, lines, strict=True)]
