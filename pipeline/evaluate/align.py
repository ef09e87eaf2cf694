"""Alignment of tables: rows that are proven to be the same examples, in the same order."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import REPRODUCE, DataError, listed
from pipeline.core.tables import class_indices, labels_of, stream_arrow, task_of
from pipeline.evaluate.metrics import Floats, Ints

_MIXED = f"Files of different runs were mixed. {REPRODUCE}"


def select_split(table: pa.Table, split: str) -> pa.Table:
    """Return the rows of one split, in order.

    Raises:
        DataError: The split is empty.
    """
    rows = table.filter(pc.equal(table["split"], split))
    if not rows.num_rows:
        raise DataError(f"{task_of(table)}: no {split} row. Change ingest.shares or ingest.salt.")
    return rows


def align(table: pa.Table, ids: Sequence[str], *, like: pa.Table, what: str, split: str | None = "test") -> pa.Table:
    """Return the rows of `table` whose ids are `ids`, in this order; `what` names the table in messages.

    Only the rows of `split` count, all if it is None. Rows that are in order already are not copied.

    Raises:
        DataError: The task or classes differ from those of `like`, or the ids of the split are not exactly `ids`.
    """
    _require_alike(table, like, what)
    rows = table if split is None else select_split(table, split)
    present = rows["id"].to_pylist()
    missing, unknown = sorted(set(ids) - set(present)), sorted(set(present) - set(ids))
    if missing or unknown or len(present) != len(ids):
        raise DataError(
            f"{what}: not of these examples, {len(present)} {f'{split} ' if split else ''}rows for {len(ids)}; missing "
            f"ids: {listed(missing) or 'none'}; unknown ids: {listed(unknown) or 'none'}. {_MIXED}"
        )
    return rows if present == list(ids) else rows.take(pc.index_in(pa.array(ids, pa.string()), rows["id"]))


class VectorFile:
    """A file of features, as `extract` writes it: memory holds a record batch of it, and the rows that are asked."""

    def __init__(self, path: Path) -> None:
        """Count the rows of each record batch.

        Raises:
            EnvironmentFault: The file is missing or damaged.
        """
        self._path = path
        self._starts = np.cumsum([0, *(batch.num_rows for batch in stream_arrow(path, ("id",))[1])])

    def read(self, examples: pa.Table, positions: Ints, *, total: int) -> npt.NDArray[np.float32]:
        """Return the vectors of examples, (n, H), at `positions` (n,), ascending, of the `total` of their file; n > 0.

        Raises:
            DataError: The features are not those of these examples, in their order.
            EnvironmentFault: The file is damaged.
        """
        rows = int(self._starts[-1])
        if rows != total:
            raise DataError(f"features: not of these examples, {rows} rows for {total}. {_MIXED}")
        bounds = np.searchsorted(positions, self._starts)
        asked = np.flatnonzero(np.diff(bounds)).tolist()
        own = pa.Table.from_batches(
            batch.take(pa.array(positions[bounds[at] : bounds[at + 1]] - self._starts[at]))
            for at, batch in zip(asked, stream_arrow(self._path, ("id", "features"), asked)[1], strict=True)
        )
        _require_alike(own, examples, "features")
        names = zip(own["id"].to_pylist(), examples["id"].to_pylist(), strict=True)
        if other := [name for name, wanted in names if name != wanted]:
            raise DataError(
                f"features: not of these examples in their order, {len(other)} ids differ: {listed(other)}. {_MIXED}"
            )
        return to_vectors(own["features"])


def _require_alike(table: pa.Table, like: pa.Table, what: str) -> None:
    """Require two tables to be of one task and of the same classes; `what` names the first in messages.

    Raises:
        DataError: They differ.
    """
    for name, value, wanted in (
        ("task", task_of(table), task_of(like)),
        ("classes", json.dumps(labels_of(table)), json.dumps(labels_of(like))),
    ):
        if value != wanted:
            raise DataError(f"{what}: {name} {value}, in the examples {wanted}. {_MIXED}")


def require_classes(indices: pa.ChunkedArray, examples: pa.Table, *, what: str) -> None:
    """Require class indices (N,) to be those of the examples; `what` names their table in messages.

    Raises:
        DataError: An index differs.
    """
    different = np.flatnonzero(indices.to_numpy() != class_indices(examples))
    if len(different):
        raise DataError(
            f"{what}: {len(different)} of {examples.num_rows} rows have another class than in the examples "
            f"(ids {listed(examples['id'][row].as_py() for row in different.tolist())}). {_MIXED}"
        )


def to_matrix(column: pa.ChunkedArray | pa.Array, *, classes: int, what: str) -> Floats:
    """Return a column of lists as one array, (N, classes); `what` names the column in messages.

    Raises:
        DataError: A list has another length.
    """
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if lengths != [classes]:
        raise DataError(f"{what}: {listed(lengths)} probabilities a row for {classes} classes. {_MIXED}")
    return np.asarray(pc.list_flatten(column)).reshape(-1, classes)


def to_vectors(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.float32]:
    """Return a column of vectors as one array, (N, H) float32; a column of one chunk is not copied."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [chunk.flatten().to_numpy().reshape(len(chunk), column.type.list_size) for chunk in chunks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, column.type.list_size), np.float32), *parts])
