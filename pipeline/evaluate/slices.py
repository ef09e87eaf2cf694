"""Slices: parts of the test split that are evaluated on their own."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.core.errors import UsageError, listed
from pipeline.core.tables import class_names, task_of
from pipeline.evaluate.metrics import Ints
from pipeline.examples.text import count_words

MISSING = "(missing)"
_NEVER = ("id", "split", "row")  # their values are unique, or equal in all test rows


class Slice(NamedTuple):
    """Rows that share a property: `rows` are their positions, rising."""

    slice: str  # "length" or the name of a column
    value: str
    rows: Ints


def slice_by_length(texts: Sequence[str], edges: Sequence[int]) -> list[Slice]:
    """Return the rows by their number of words (see `count_words`), shortest first, without empty slices.

    `edges` rise; each is the last word count of its slice, and one slice more holds all longer texts.
    """
    counts = np.array([count_words(text) for text in texts], dtype=np.int64)
    places = np.searchsorted(np.array(edges, dtype=np.int64), counts, side="left")
    parts = [Slice("length", name, np.flatnonzero(places == at)) for at, name in enumerate(_length_names(edges))]
    return [part for part in parts if len(part.rows)]


def slice_by_column(name: str, values: Sequence[str | None]) -> list[Slice]:
    """Return the rows by their value in a column, values in order; rows without a value come last as `MISSING`.

    A value that is spelled so stands in quotes.
    """
    rows: dict[str | None, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(value, []).append(row)
    order = sorted(rows, key=lambda value: (value is None, value or ""))
    names = {None: MISSING, MISSING: f'"{MISSING}"'}
    return [Slice(name, names.get(value, value or ""), np.array(rows[value], dtype=np.int64)) for value in order]


def slice_by_columns(examples: pa.Table, names: Sequence[str], *, never: Sequence[str] = ()) -> list[Slice]:
    """Return the rows by their value in each of the columns `names`; classes by their names.

    Columns to slice by hold strings or classes, and are none of `never`.

    Raises:
        UsageError: A name is not a column to slice by.
    """
    allowed = [name for name in examples.column_names if name not in (*_NEVER, *never) and _is_kept(examples, name)]
    if unknown := [name for name in names if name not in allowed]:
        raise UsageError(
            f"evaluate.slices: the examples of {task_of(examples)} have no column {listed(unknown)} to slice by, only "
            f"{listed(allowed)}. Add the column to ingest.keep, or remove it from evaluate.slices."
        )
    return [part for name in names for part in slice_by_column(name, _values(examples, name))]


def _is_kept(examples: pa.Table, name: str) -> bool:
    kind = examples[name].type
    return bool(pa.types.is_string(kind) or (name == "label" and pa.types.is_integer(kind)))


def _values(examples: pa.Table, name: str) -> list[str | None]:
    values: list[str | None] = [*class_names(examples)] if name == "label" else examples[name].to_pylist()
    return values


def _length_names(edges: Sequence[int]) -> list[str]:
    """Return "1-5", "6-10", ..., "11+"; "all" if there is no edge."""
    if not edges:
        return ["all"]
    starts = [1, *(edge + 1 for edge in edges)]
    closed = [str(end) if start == end else f"{start}-{end}" for start, end in zip(starts, edges, strict=False)]
    return [*closed, f"{starts[-1]}+"]
