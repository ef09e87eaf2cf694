"""Columnar files with the task's name, classes and features in their schema; equal content gives equal bytes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, DataError, EnvironmentFault, listed
from pipeline.core.files import publish

IMAGE_TYPE = pa.struct({"bytes": pa.binary(), "path": pa.string()})  # in which the library `datasets` keeps an image
_FEATURES = "huggingface"  # the key of the metadata under which it keeps its features
_DTYPES = {"halffloat": "float16", "float": "float32", "double": "float64"}  # its names, if not those of Arrow


def describe(table: pa.Table, *, task: str, labels: tuple[str, ...]) -> pa.Table:
    """Return `table` with the task's name and its classes, in order, as the only metadata of its schema."""
    return table.replace_schema_metadata(description(task, labels))


def description(task: str, labels: tuple[str, ...]) -> dict[str, str]:
    """Return the task's name and its classes, in order, as the metadata of a schema."""
    return {"task": task, "labels": json.dumps(labels, ensure_ascii=False)}


def labels_of(table: pa.Table | pa.Schema) -> tuple[str, ...]:
    """Return the classes of a table with a description, in order: position = class index."""
    return tuple(json.loads(metadata_of(table)[b"labels"]))


def class_indices(table: pa.Table, column: str = "label") -> npt.NDArray[np.int64]:
    """Return a column of class indices of a table with a description, (N,) int64.

    Raises:
        DataError: A value is missing, not an integer, or the index of no class.
    """
    indices, count = table[column], len(labels_of(table))
    if pa.types.is_integer(indices.type):
        known = pc.and_(pc.greater_equal(indices, 0), pc.less(indices, count))
        invalid = indices.filter(pc.invert(pc.fill_null(known, False)))
    else:
        invalid = indices
    if len(invalid):
        raise DataError(
            f"{task_of(table)}: {column}: {len(invalid)} rows must have a class index from 0 to {count - 1}, "
            f"found {listed(invalid.to_pylist())}. {REPRODUCE}"
        )
    return np.asarray(indices.to_numpy(), dtype=np.int64)


def class_names(table: pa.Table, column: str = "label") -> list[str]:
    """Return the class name of each row of a table with a description.

    Raises:
        DataError: A value is not the index of a class.
    """
    labels = labels_of(table)
    return [labels[index] for index in class_indices(table, column)]


def task_of(table: pa.Table | pa.Schema) -> str:
    """Return the task's name of a table with a description."""
    return metadata_of(table)[b"task"].decode()


def infer_features(schema: pa.Schema, classes: Mapping[str, Sequence[str]]) -> Document:
    """Return what each column holds, as the library `datasets` spells it.

    `classes` are the names of the classes, in order, by the column that holds their indices or lists of these.

    Source: datasets 5.2, `Features.to_dict`.
    """
    return {field.name: _infer_feature(field.type, classes.get(field.name)) for field in schema}


def _infer_feature(kind: pa.DataType, classes: Sequence[str] | None) -> Document:
    if pa.types.is_list(kind):
        return {"feature": _infer_feature(kind.value_type, classes), "_type": "List"}
    if kind == IMAGE_TYPE:
        return {"_type": "Image"}
    if classes is not None:
        return {"names": [*classes], "_type": "ClassLabel"}
    return {"dtype": _DTYPES.get(str(kind), str(kind)), "_type": "Value"}


def describe_features(features: Document) -> dict[str, str]:
    """Return features as the metadata of a schema, byte for byte as the library `datasets` writes them."""
    return {_FEATURES: json.dumps({"info": {"features": features}})}


def features_of(schema: pa.Schema) -> Document:
    """Return the features in the metadata of a schema that somebody else may have written; none if there are none."""
    try:
        features = json.loads((schema.metadata or {})[_FEATURES.encode()])["info"]["features"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def name_indices(schema: pa.Schema, column: str) -> tuple[str, ...]:
    """Return the class names that the features of a schema state for a column of indices, or of lists of these.

    Position = index; none if the column holds no integers, or its feature has no names or one of them twice.
    """
    if column not in schema.names:
        return ()
    kind, feature = schema.field(column).type, features_of(schema).get(column)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = feature.get("feature") if isinstance(feature, dict) else feature  # older files have [feature]
        kind, feature = kind.value_type, inner[0] if isinstance(inner, list) and inner else inner
    names = feature.get("names") if isinstance(feature, dict) and pa.types.is_integer(kind) else None
    known = tuple(map(str, names)) if isinstance(names, list) else ()
    return known if len({*known}) == len(known) else ()


def metadata_of(table: pa.Table | pa.Schema) -> dict[bytes, bytes]:
    """Return what a table written here says of itself."""
    schema = table if isinstance(table, pa.Schema) else table.schema
    metadata: dict[bytes, bytes] = schema.metadata
    return metadata


def write_parquet(out: Path, table: pa.Table | Iterator[pa.Table]) -> None:
    """Publish a table, or several as its row groups, as one Parquet file (zstd)."""
    groups = iter([table]) if isinstance(table, pa.Table) else table
    group: Any = next(groups)
    with publish(out) as partial, pq.ParquetWriter(partial, group.schema, compression="zstd") as writer:
        while group is not None:
            writer.write_table(group)
            del group  # before the next is made
            group = next(groups, None)


def read_parquet(path: Path) -> pa.Table:
    """Return the table of a Parquet file written by `write_parquet`.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def stream_parquet(path: Path, columns: Sequence[str], *, rows: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema of a file written by `write_parquet`, and some of its columns, `rows` rows at a time.

    Of `columns`, those that the file lacks are left out. It is read in pieces of a mebibyte, so memory does not grow.

    Raises:
        EnvironmentFault: The file is missing or damaged; raised now, or when the damaged part is read.
    """
    try:
        file = pq.ParquetFile(path, buffer_size=2**20)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from file.iter_batches(batch_size=rows, columns=list(columns))
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(path, error) from error

    return file.schema_arrow, batches()


def write_arrow(out: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Publish the batches as one uncompressed Arrow IPC file with this schema, to be memory-mapped."""
    with publish(out) as partial, pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))


def regroup(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in record batches of `rows` each; the last one holds the rest."""
    waiting: list[pa.RecordBatch] = []
    missing = rows
    for incoming in batches:
        batch = incoming
        while batch.num_rows >= missing:
            yield pa.concat_batches([*waiting, batch.slice(0, missing)])
            batch, waiting, missing = batch.slice(missing), [], rows
        if batch.num_rows:
            waiting.append(batch)
            missing -= batch.num_rows
    if waiting:
        yield pa.concat_batches(waiting)


def read_arrow(path: Path) -> pa.Table:
    """Return the memory-mapped table of a file written by `write_arrow`.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def stream_arrow(
    path: Path, columns: Sequence[str] | None = None, only: Iterable[int] | None = None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema of a file written by `write_arrow`, and its record batches with some of the columns, or all.

    `only` are the numbers of the batches that are read, rising; no others are, nor other columns. A mapped file
    (`read_arrow`) takes memory for all that was touched as long as there is room; here it is one batch.

    Raises:
        EnvironmentFault: The file is missing or damaged; raised now, or when the damaged part is read.
    """

    def open_file(wanted: Sequence[int] | None = None) -> Any:
        return pa.ipc.open_file(pa.OSFile(str(path)), options=pa.ipc.IpcReadOptions(included_fields=wanted))

    try:
        schema = open_file().schema
        reader = open_file(None if columns is None else [schema.names.index(name) for name in columns])
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for at in range(reader.num_record_batches) if only is None else only:
                yield reader.get_batch(at)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(path, error) from error

    return schema, batches()


def _unreadable(path: Path, error: Exception) -> EnvironmentFault:
    return EnvironmentFault(f"{path}: could not be read, {error}. {REPRODUCE}")
