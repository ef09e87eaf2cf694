"""Corrections of labels: a CSV file that a person edits, a row per text."""

import csv
import io
import re
from collections.abc import Iterator

from pipeline.core.document import Strict
from pipeline.core.errors import DataError, listed

REMOVE = "-"
"""The correction that removes the text, unless a class has that name."""

_FORMULA = re.compile(r"(?=[=+\-@\t\r])")
_ID = re.compile(r"[0-9a-f]{16}")


class Correction(Strict):
    """The class of a text instead of the one in the file; `label` is the class it was made for, None if unknown."""

    label: str | None
    correction: str


def parse_corrections(text: str, *, file: str) -> dict[str, Correction]:
    """Return the corrections of a CSV file by the id of their text; rows without a correction are none.

    The file has a header with `id` and `correction`, and perhaps `label`; other columns are not read. Equal rows count
    once.

    Raises:
        DataError: The CSV is not valid, a column is missing, or an id is malformed or has two corrections.
    """
    corrections: dict[str, Correction] = {}
    malformed, several = [], []
    for line, row in _read_rows(text, file):
        correction = plain_cell(row["correction"].strip())
        if not correction:
            continue
        identity = row["id"].strip()
        label = plain_cell(row["label"]) if row.get("label") else None
        new = Correction(label=label, correction=correction)
        if not _ID.fullmatch(identity):
            malformed.append((line, identity))
        elif corrections.setdefault(identity, new) != new:
            several.append((line, identity))
    for rows, what, fix in (
        (malformed, "no id of a text (16 hexadecimal digits)", "Copy the ids from the table of suspects."),
        (several, "another correction in an earlier line", "Keep one line for each id."),
    ):
        if rows:
            examples = ", ".join(f"line {line}: {identity!r:.40}" for line, identity in rows[:5])
            raise DataError(f"{file}: id: {len(rows)} rows with {what}, {examples}. {fix}")
    return corrections


def _read_rows(text: str, file: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line where it starts, row) for each row of a CSV file with a header."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        header = reader.fieldnames or ()
        if missing := [name for name in ("id", "correction") if name not in header]:
            mark = next((mark for mark in ";\t" if any(mark in name for name in header)), None)
            fix = f"Save the file with commas, not with {mark!r}" if mark else "Add it, or copy the table of suspects"
            raise DataError(f"{file}: line 1: no column {listed(missing)}, found {listed(header)}. {fix}.")
        line = reader.line_num + 1
        for row in reader:
            if None in row or None in row.values():
                raise DataError(f"{file}: line {line}: not {len(header)} cells as in the header. Correct the line.")
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{file}: line {line}: not valid CSV, {error}. Correct the line.") from error


def inert_cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula.

    It has an apostrophe before a leading `=`, `+`, `-`, `@`, tab or CR, and before a leading apostrophe, so that
    `plain_cell` gives the text back.

    Source: OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if _FORMULA.match(text) or text.startswith("'") else text


def plain_cell(cell: str) -> str:
    """Return the text of an `inert_cell`."""
    return cell[1:] if cell.startswith("'") else cell
