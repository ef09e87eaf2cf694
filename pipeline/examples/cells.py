"""Cells of raw rows: checked, and held as columns, some thousand rows at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import DataError
from pipeline.examples.faults import Faults, RowFault
from pipeline.examples.records import ARROW_TYPES, Oversized, Part, RawRow, Records
from pipeline.examples.text import SURROGATES
from pipeline.settings.ingest import Holds

_BATCH_ROWS = 4096
_BATCH_CHARACTERS = 1 << 24


def batch_records(
    rows: Iterable[RawRow], *, file: str, columns: Mapping[str, Holds], max_cell_bytes: int
) -> Iterator[Records]:
    """Yield `rows`, whose cells are as their columns hold, None or `Oversized`: some thousand at a time, `partial`.

    The last one has no rows, and the faults of rows that `rows` ends with. After a cell that cannot be kept no more
    rows come: the others are only checked.

    Raises:
        DataError: There are no rows.
        RowErrors: There are lone surrogates, or cells of more than `max_cell_bytes` bytes of UTF-8.
    """
    checked = {name: _Cells(file, name, holds, max_cell_bytes) for name, holds in columns.items()}
    count, faults = 0, Faults()
    with faults.gather():
        for batch in _batch(rows):
            numbers, cells = zip(*batch, strict=True)
            arrays = [
                column.read(numbers, values)
                for column, values in zip(checked.values(), zip(*cells, strict=True), strict=True)
            ]
            count += len(numbers)
            if not any(array is None for array in arrays):
                yield _assemble(file, numbers, dict(zip(columns, arrays, strict=True)))
    errors = tuple(faults.errors)
    for column in checked.values():
        with faults.gather():
            column.check()
    if len(faults.errors) > len(errors):
        faults.check()
    if not count and not errors:
        raise DataError(f"{file}: found no rows. Provide a file with at least one row.")
    empty = {name: pa.array([], ARROW_TYPES[holds]) for name, holds in columns.items()}
    yield _assemble(file, (), empty)._replace(faults=errors)


def _assemble(file: str, lines: Sequence[int], columns: Mapping[str, pa.Array]) -> Records:
    numbers = pa.chunked_array([pa.array(lines, pa.int64())])
    cells = {name: pa.chunked_array([array]) for name, array in columns.items()}
    return Records(file, numbers, cells, (Part("", len(lines)),), partial=True)


def _batch(rows: Iterable[RawRow]) -> Iterator[list[RawRow]]:
    """Yield the rows in batches of `_BATCH_ROWS` at most, closed early by the row with which they are large.

    Raises:
        RowErrors: `rows` ends with them; raised after the last batch.
    """
    batch: list[RawRow] = []
    characters, faults = 0, Faults()
    with faults.gather():
        for row in rows:
            batch.append(row)
            characters += sum(_size(cell) for cell in row[1])
            if len(batch) == _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
                yield batch
                batch, characters = [], 0
    if batch:
        yield batch
    faults.check()


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
        self._type = ARROW_TYPES[holds]
        self._max_bytes = max_bytes
        self._broken = RowFault(file, "with a lone surrogate (half a character)", column=name)
        self._huge = RowFault(file, f"with more than {max_bytes} bytes", column=name)

    def read(self, lines: Sequence[int], cells: Sequence[Any]) -> pa.Array | None:
        """Return the cells, None as soon as some cannot be kept: the others are then only checked."""
        try:
            chunk = pa.array(cells, self._type)
        except (UnicodeEncodeError, pa.ArrowTypeError, pa.ArrowInvalid):
            self._count_faults(lines, cells)
            if not self._is_faulty():
                raise
            return None
        if self._longest(chunk, cells) > self._max_bytes:
            self._count_faults(lines, cells)
        return None if self._is_faulty() else chunk

    def _is_faulty(self) -> bool:
        return bool(self._broken.count or self._huge.count)

    def _longest(self, chunk: pa.Array, cells: Sequence[Any]) -> int:
        if pa.types.is_large_list(self._type):
            return max(map(_weigh, cells), default=0)
        return pc.max(pc.binary_length(chunk)).as_py() or 0

    def _count_faults(self, lines: Sequence[int], cells: Sequence[Any]) -> None:
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
