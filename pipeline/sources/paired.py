"""Pairs of texts out of a CSV file whose rows hold two: half as they are, half with the second text of another row."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import DataError, listed
from pipeline.settings.sources import Paired

TRUE, EXCHANGED = "own", "other"


def write_pairs(paired: Paired, folder: Path) -> None:
    """Write `paired.most` pairs at most, a line of JSON each: the columns `first` and `second`, and `label`.

    A row counts if both of its texts are new, so each text stands in one pair alone, and no two splits can share it.
    Every other pair is the row itself (`own`). The rest (`other`) exchange their second texts: each gets that of the
    one half of them further on. So a second text says nothing of the label, and nothing is drawn at random.

    Raises:
        DataError: The file is no CSV with these columns, or has too few rows that count.
    """
    path = folder / paired.rows
    kept = [pair for pair, _ in zip(_list_new(path, paired), range(paired.most), strict=False)]
    if len(kept) < 4:
        raise DataError(f"{path}: {len(kept)} rows with two texts that are new, 4 at least. Name another file.")
    exchanged = [second for _, second in kept[1::2]]
    half = len(exchanged) // 2
    others = iter([*exchanged[half:], *exchanged[:half]])
    pairs = (
        (first, next(others), EXCHANGED) if row % 2 else (first, second, TRUE)
        for row, (first, second) in enumerate(kept)
    )
    lines = (
        json.dumps({paired.first: first, paired.second: second, "label": label}, ensure_ascii=False)
        for first, second, label in pairs
    )
    (folder / paired.file).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")


def _list_new(path: Path, paired: Paired) -> Iterator[tuple[str, str]]:
    """Yield the two texts of each row in which both are new: not empty, not equal, in no row that was yielded."""
    seen = set[str]()
    for texts in _read_rows(path, paired):
        keys = {" ".join(text.casefold().split()) for text in texts}
        if len(keys) == 2 and all(keys) and not keys & seen:
            seen |= keys
            yield texts


def _read_rows(path: Path, paired: Paired) -> Iterator[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            columns = rows.fieldnames or ()
            if missing := [name for name in (paired.first, paired.second) if name not in columns]:
                raise DataError(f"{path}: no column {listed(missing)}, found {listed(columns)}. Name two that it has.")
            for row in rows:
                yield row[paired.first] or "", row[paired.second] or ""
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path}: no CSV in UTF-8, {error}. Name a member that is one.") from error
