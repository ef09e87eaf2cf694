"""Rows of corrections to copy from the page: the errors of a model with an empty column to fill in."""

import csv
import io
from collections.abc import Sequence

from pipeline.core.document import Document
from pipeline.settings.corrections import inert_cell

CORRECTION_COLUMNS = (
    "line",
    "id",
    "label",
    "predicted",
    "correction",
)  # `ingest.corrections` reads id, label and correction


def correction_rows(errors: Sequence[Document]) -> list[str]:
    """Return the lines of a CSV file, a header first and a row an error, each without its line break."""
    *copied, _ = CORRECTION_COLUMNS
    rows = [[inert_cell("" if error[name] is None else str(error[name])) for name in copied] for error in errors]
    return [_to_csv(row) for row in (CORRECTION_COLUMNS, *([*row, ""] for row in rows))]


def _to_csv(row: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(row)
    return text.getvalue()
