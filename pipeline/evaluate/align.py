"""Rows of different tables that are proven to be the same examples."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import DataError, UsageError, listed
from pipeline.core.tables import class_indices, class_names, labels_of, task_of
from pipeline.evaluate.metrics import Floats, Ints

# Columns that are no kind of example: one value a row, or the same in all test rows.
NO_SLICE = ("id", "split", "text", "row")


class Rows(NamedTuple):
    """N test rows: `actual` (N,) are class indices, `columns` those named in `params.slices`."""

    ids: list[str]
    texts: list[str]
    actual: Ints
    columns: dict[str, list[str | None]]


def of_split(table: pa.Table, split: str) -> pa.Table:
    """Return the rows of one split, in order.

    Raises:
        DataError: There is none.
    """
    rows = table.filter(pc.equal(table["split"], split))
    if not rows.num_rows:
        raise DataError(f"{task_of(table)} has no {split} row. Deal other splits with ingest.shares or ingest.salt.")
    return rows


def held_out(table: pa.Table, slices: Sequence[str]) -> Rows:
    """Return the test rows of the examples with the columns named in `slices`.

    Raises:
        DataError: There is no test row.
        UsageError: A name in `slices` is no column.
    """
    allowed = [name for name in table.column_names if name not in NO_SLICE]
    if unknown := [name for name in slices if name not in allowed]:
        raise UsageError(
            f"evaluate.slices names {listed(unknown)}, which the examples of {task_of(table)} do not have; "
            f"they have {listed(allowed)}. Add the column to ingest.keep, or take it out of evaluate.slices."
        )
    rows = of_split(table, "test")
    return Rows(
        ids=rows["id"].to_pylist(),
        texts=rows["text"].to_pylist(),
        actual=class_indices(rows),
        columns={name: _column(rows, name) for name in slices},
    )


def _column(rows: pa.Table, name: str) -> list[str | None]:
    """Return a column to slice by; classes by their names."""
    values: list[str | None] = [*class_names(rows)] if name == "label" else rows[name].to_pylist()
    return values


def aligned(table: pa.Table, ids: Sequence[str], *, like: pa.Table, what: str, split: str | None = "test") -> pa.Table:
    """Return the rows of `table` whose ids are `ids`, in this order; `what` names the table in messages.

    `split` is the one they are of, None for all. Rows that are in order already are not copied.

    Raises:
        DataError: The task or classes differ from those of `like`, or the ids of the split are not exactly `ids`.
    """
    for name, found, wanted in (
        ("task", task_of(table), task_of(like)),
        ("classes", json.dumps(labels_of(table)), json.dumps(labels_of(like))),
    ):
        if found != wanted:
            raise DataError(f"the {name} of the {what}: {found}; of the examples: {wanted}. {_AGAIN}")
    rows = table if split is None else of_split(table, split)
    there = rows["id"].to_pylist()
    lacking, extra = sorted(set(ids) - set(there)), sorted(set(there) - set(ids))
    if lacking or extra or len(there) != len(ids):
        raise DataError(
            f"the {what} are not of these examples: {len(there)} {split or 'such'} rows for {len(ids)}; ids that lack: "
            f"{listed(lacking) or 'none'}; ids of no example: {listed(extra) or 'none'}. {_AGAIN}"
        )
    return rows if there == list(ids) else rows.take(pc.index_in(pa.array(ids, pa.string()), rows["id"]))


def require_classes(found: pa.ChunkedArray, rows: Rows, *, what: str) -> None:
    """Refuse class indices that are not those of the test rows."""
    different = np.flatnonzero(found.to_numpy() != rows.actual)
    if len(different):
        raise DataError(
            f"the {what} give {len(different)} of {len(rows.ids)} test rows another class than the examples do "
            f"(ids {listed(rows.ids[row] for row in different)}). {_AGAIN}"
        )


def matrix(column: pa.ChunkedArray, *, classes: int, what: str) -> Floats:
    """Return a column of lists as one array, (N, classes).

    Raises:
        DataError: A list has another length.
    """
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if lengths != [classes]:
        raise DataError(
            f"the probabilities of the {what} have {listed(lengths)} numbers a row, not {classes}. {_AGAIN}"
        )
    return np.asarray(column.combine_chunks().flatten().to_numpy(zero_copy_only=False)).reshape(-1, classes)


def vectors(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.float32]:
    """Return a column of vectors as one array, (N, H) float32; that of one chunk is not copied."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [chunk.flatten().to_numpy().reshape(len(chunk), column.type.list_size) for chunk in chunks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, column.type.list_size), np.float32), *parts])


_AGAIN = "Files of different runs were mixed; `dvc repro` makes them again."
