"""The rows of a raw file as columns of text, and the one way to say which of them are bad."""

import difflib
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core.errors import DataError, listed
from pipeline.examples.text import SURROGATES

Found = Sequence[tuple[int, object]]


class Records(NamedTuple):
    """A parsed file: `lines[i]` is where row i starts (from 1), `columns[name][i]` its text, None where it has none."""

    file: str
    lines: list[int]
    columns: dict[str, list[str | None]]


def fault(file: str, what: str, found: Found, remedy: str, *, column: str | None = None) -> DataError:
    """Return the error about all rows with one kind of fault: place of the first, count, five lines, five values.

    Args:
        file: The file's path.
        what: The fault, so that "3 row(s) `what`" reads well.
        found: Line and value of every bad row, at least one; a None value is not shown.
        remedy: What to do.
        column: The column, where there is one.
    """
    lines = [line for line, _ in found]
    where = f"{file}:{lines[0]}: " + (f"column {column!r}: " if column is not None else "")
    values = {repr(value): value for _, value in found if value is not None}
    shown = f": {listed(values.values())}" if values else ""
    return DataError(f"{where}{len(lines)} row(s) {what} (line {listed(lines)}){shown}. {remedy}")


def choose(file: str, columns: Sequence[str], found: Sequence[str], *, hint: str = "") -> list[int]:
    """Return the position in `found` of each wanted column.

    Raises:
        DataError: A wanted column is missing or there twice.
    """
    missing = [name for name in columns if name not in found]
    if missing:
        near = {name: difflib.get_close_matches(name, found, n=1, cutoff=0.6) for name in missing}
        asked = "".join(f" Did you mean {close[0]!r} for {name!r}?" for name, close in near.items() if close)
        raise DataError(
            f"{file}: column {listed(missing)} is not there; found {len(found)} column(s): "
            f"{listed(found, most=20)}.{asked}{hint} Name the file's columns in params.yaml or correct the file."
        )
    twice = [name for name in columns if list(found).count(name) > 1]
    if twice:
        raise DataError(f"{file}: column {listed(twice)} is there more than once. Rename or remove one of them.")
    return [list(found).index(name) for name in columns]


def check_cells(records: Records, *, max_cell_bytes: int) -> None:
    """Check that every cell can be written as UTF-8 and none is huge.

    Raises:
        DataError: There are no rows, lone surrogates, or cells of more than `max_cell_bytes` bytes.
    """
    if not records.lines:
        raise DataError(f"{records.file}: found no rows. Bring a file with at least one row.")
    for column, cells in records.columns.items():
        rows = [(line, cell) for line, cell in zip(records.lines, cells, strict=True) if cell]
        broken = [(line, cell) for line, cell in rows if not cell.isascii() and SURROGATES.search(cell)]
        if broken:
            remedy = "It stands for no character: export the file again as UTF-8, or remove it."
            raise fault(records.file, "with a lone surrogate (half a character)", broken, remedy, column=column)
        # A character takes four bytes at most, so nearly all cells are settled without encoding them.
        long = [(line, len(cell.encode())) for line, cell in rows if len(cell) * 4 > max_cell_bytes]
        huge = [(line, f"{size} bytes") for line, size in long if size > max_cell_bytes]
        if huge:
            remedy = "Look for a missing quote or line end, or raise `max_cell_bytes`."
            raise fault(records.file, f"with more than {max_cell_bytes} bytes", huge, remedy, column=column)
