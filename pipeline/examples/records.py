"""The rows of a raw file, their wanted columns as text, and the report of rows that are bad."""

import difflib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import DataError, listed
from pipeline.examples.text import SURROGATES

# The line a row starts in (from 1; in Parquet, which has no lines, the number of the row), and its wanted cells.
RawRow = tuple[int, Sequence[Any]]

_SHOWN = 5
_BATCH_ROWS = 4096


class Oversized(NamedTuple):
    """Stands for a cell that was too long to be kept: its size in bytes of UTF-8."""

    size: int


class RowFault:
    """The rows with one kind of fault: the count of all, the first five lines and five distinct values.

    Args:
        file: The file's path.
        what: The fault, so that "3 row(s) `what`" reads well.
        column: The column, if the fault is in one.
    """

    def __init__(self, file: str, what: str, *, column: str | None = None) -> None:
        """Start without rows."""
        self._file, self._what, self._column = file, what, column
        self.count = 0
        self._lines: list[int] = []
        self._values: dict[str, None] = {}

    def add(self, line: int, value: object = None) -> None:
        """Count a row; a None value is not shown."""
        self.count += 1
        if len(self._lines) < _SHOWN:
            self._lines.append(line)
        if value is not None and len(self._values) <= _SHOWN:
            self._values[listed([value])] = None

    def error(self, remedy: str) -> DataError:
        """Return the error about these rows, at least one; `remedy` is what to do."""
        where = f"{self._file}:{self._lines[0]}: " + ("" if self._column is None else f"column {self._column!r}: ")
        more = f" and {self.count - _SHOWN} more" if self.count > _SHOWN else ""
        lines = f"line {', '.join(map(str, self._lines))}{more}"
        values = list(self._values)
        shown = ", ".join(values[:_SHOWN]) + (" and more" if len(values) > _SHOWN else "")
        return DataError(f"{where}{self.count} row(s) {self._what} ({lines}){shown and f': {shown}'}. {remedy}")

    def check(self, remedy: str) -> None:
        """Check that there are no such rows.

        Raises:
            DataError: There are.
        """
        if self.count:
            raise self.error(remedy)


class Records(NamedTuple):
    """The wanted columns of a file.

    Args:
        file: The file's path.
        lines: Line where each row starts, from 1, (N,) int64.
        columns: The cells by column, each (N,) large_string; null if a row has none.
    """

    file: str
    lines: pa.ChunkedArray
    columns: dict[str, pa.ChunkedArray]

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column, "" for null."""
        texts: list[str] = pc.fill_null(self.columns[column], "").to_pylist()
        return texts

    def lines_of(self, rows: Sequence[int]) -> list[int]:
        """Return the lines where these rows start."""
        lines: list[int] = self.lines.take(pa.array(rows, pa.int64())).to_pylist()
        return lines

    def fault(self, what: str, rows: Iterable[tuple[int, object]], remedy: str, *, column: str) -> DataError:
        """Return the error about `rows`, each a row's index and the value to show (see `RowFault`)."""
        fault = RowFault(self.file, what, column=column)
        for row, value in rows:
            fault.add(self.lines[row].as_py(), value)
        return fault.error(remedy)


def collect_records(rows: Iterable[RawRow], *, file: str, columns: Sequence[str], max_cell_bytes: int) -> Records:
    """Return `rows`, whose cells are strings, None or `Oversized`, as columns; one batch of rows is held beside them.

    Raises:
        DataError: There are no rows, lone surrogates, or cells of more than `max_cell_bytes` bytes of UTF-8.
    """
    checked = {name: _Cells(file, name, max_cell_bytes) for name in columns}
    lines: list[pa.Array] = []
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH_ROWS)):
        numbers, cells = zip(*batch, strict=True)
        lines.append(pa.array(numbers, pa.int64()))
        for column, values in zip(checked.values(), zip(*cells, strict=True), strict=True):
            column.append(numbers, values)
    if not lines:
        raise DataError(f"{file}: found no rows. Bring a file with at least one row.")
    return Records(file, pa.chunked_array(lines), {name: column.finish() for name, column in checked.items()})


class _Cells:
    """The cells of one column, and those that cannot be kept."""

    def __init__(self, file: str, name: str, max_bytes: int) -> None:
        self._chunks: list[pa.Array] = []
        self._max_bytes = max_bytes
        self._broken = RowFault(file, "with a lone surrogate (half a character)", column=name)
        self._huge = RowFault(file, f"with more than {max_bytes} bytes", column=name)

    def append(self, lines: Sequence[int], cells: Sequence[str | Oversized | None]) -> None:
        try:
            chunk = pa.array(cells, pa.large_string())
        except (UnicodeEncodeError, pa.ArrowTypeError):
            self._count_faults(lines, cells)
            return
        if (pc.max(pc.binary_length(chunk)).as_py() or 0) > self._max_bytes:
            self._count_faults(lines, cells)
        self._chunks.append(chunk)

    def _count_faults(self, lines: Sequence[int], cells: Sequence[str | Oversized | None]) -> None:
        for line, cell in zip(lines, cells, strict=True):
            if isinstance(cell, str) and SURROGATES.search(cell):
                self._broken.add(line, cell)
                continue
            size = cell.size if isinstance(cell, Oversized) else len((cell or "").encode())
            if size > self._max_bytes:
                self._huge.add(line, f"{size} bytes")

    def finish(self) -> pa.ChunkedArray:
        self._broken.check("It stands for no character: export the file again as UTF-8, or remove it.")
        self._huge.check("Look for a missing quote or line end, or raise `max_cell_bytes`.")
        return pa.chunked_array(self._chunks, pa.large_string())


def find_columns(file: str, wanted: Sequence[str], names: Sequence[str], *, hint: str = "") -> list[int]:
    """Return the position in `names` of each wanted column.

    Raises:
        DataError: A wanted column is missing or there twice.
    """
    missing = [name for name in wanted if name not in names]
    if missing:
        near = {name: difflib.get_close_matches(name, names, n=1, cutoff=0.6) for name in missing}
        asked = "".join(f" Did you mean {close[0]!r} for {name!r}?" for name, close in near.items() if close)
        raise DataError(
            f"{file}: column {listed(missing)} is not there; found {len(names)} column(s): "
            f"{listed(names, most=20)}.{asked}{hint} Name the file's columns in params.yaml or correct the file."
        )
    twice = [name for name in wanted if list(names).count(name) > 1]
    if twice:
        raise DataError(f"{file}: column {listed(twice)} is there more than once. Rename or remove one of them.")
    return [list(names).index(name) for name in wanted]
