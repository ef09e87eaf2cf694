"""The file of a task's corrections, brought up to date: what a person has corrected, then the suspects of now."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import DataError, UsageError
from pipeline.core.files import publish
from pipeline.settings.corrections import parse_corrections

SUSPECTS, CORRECTIONS = Path("data/suspects"), Path("data/corrections")


class CorrectionTable(NamedTuple):
    """A CSV file: its columns in order, and its rows by column."""

    columns: tuple[str, ...]
    rows: list[dict[str, str]]


def add_suspects(task: str, root: Path = Path()) -> tuple[int, int]:
    """Write data/corrections/TASK.csv anew, and return the rows of it that are corrected and those to look at.

    First come the rows with a correction, as they are, then the suspects that have none. Rows that were left empty
    are suspects no more, or come again.

    Raises:
        UsageError: The task has no suspects yet.
        DataError: A file is no valid CSV, or no file of corrections.
    """
    suspects, out = root / SUSPECTS / f"{task}.csv", root / CORRECTIONS / f"{task}.csv"
    if not suspects.is_file():
        raise UsageError(f"{suspects}: is not there. Name a task, or run `dvc repro inspect@{task}`.")
    columns, listed = read_table(suspects)
    old, rows = read_table(out) if out.is_file() else CorrectionTable((), [])
    corrected = [row for row in rows if row["correction"].strip()]
    known = {row["id"].strip() for row in corrected}
    fresh = [row for row in listed if row["id"] not in known]
    with publish(out) as partial, partial.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, tuple(dict.fromkeys((*columns, *old))), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*corrected, *fresh])
    return len(corrected), len(fresh)


def read_table(path: Path) -> CorrectionTable:
    """Return a file of corrections as it is, once it is known to be one.

    Raises:
        DataError: It is not UTF-8, no valid CSV, or a column is missing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: must be UTF-8, found {error}. Save it as UTF-8.") from error
    parse_corrections(text, file=str(path))
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return CorrectionTable(tuple(reader.fieldnames or ()), list(reader))
