"""Rows of a Parquet file that somebody else wrote: the wanted columns, as they are or as text."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.errors import DataError
from pipeline.examples.faults import find_columns
from pipeline.examples.records import ARROW_TYPES, SEVERAL_VALUES, RawRow
from pipeline.settings.ingest import HOLDINGS, Holds

_BATCH_ROWS = 1024
_NESTED_ROWS = 64  # with lists or structs, which are decoded whole
_SLICE_BYTES = 1 << 24  # of decoded rows in memory at a time; a single row may have more


def read_parquet_rows(
    source: Path,
    *,
    file: str,
    columns: Sequence[str],
    texts: Sequence[str] | None = None,
    lists: Mapping[str, Holds] = MappingProxyType({}),
    max_bytes: int | None = None,
) -> Iterator[RawRow]:
    """Yield the wanted values of each row, numbered from 1; the bytes come from `source`, messages name `file`.

    If `texts` names columns, all values are text or null: numbers, dates and booleans as Arrow spells them. In memory
    are the different texts of a row group and 16 MiB of decoded rows (or one row), however often a text is repeated.
    `lists` says of the other columns what they hold: lists of text, or bytes.

    Raises:
        DataError: Not a whole Parquet file, a wanted column missing or twice, broken UTF-8, more than `max_bytes` once
            decoded; or, with `texts`, lists or structs in a column, one of `texts` that does not hold strings, or one
            of `lists` that holds something else.
    """
    size, first = 0, 1
    try:
        parquet = _open(source)
        find_columns(file, columns, parquet.schema_arrow.names)
        for name in texts or ():
            _check_strings(parquet.schema_arrow.field(name).type, name, file=file)
        nested = any(pa.types.is_nested(parquet.schema_arrow.field(name).type) for name in columns)
        batch_rows = _NESTED_ROWS if nested else _BATCH_ROWS
        for batch in parquet.iter_batches(batch_size=batch_rows, columns=list(columns)):
            sizes = sum((_decoded_sizes(column) for column in batch.columns), np.zeros(batch.num_rows, np.int64))
            size += int(sizes.sum())
            if max_bytes is not None and size > max_bytes:
                raise DataError(f"{file}: has more than {max_bytes} bytes unpacked. Raise `max_file_bytes` if it may.")
            for rows in _slice(batch, sizes):
                values = [
                    _nested_values(rows[name], name, lists[name], file=file)
                    if name in lists
                    else _values(rows[name], name, file=file, as_text=texts is not None)
                    for name in columns
                ]
                yield from enumerate(zip(*values, strict=True), start=first)
                first += rows.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{file}: not a whole Parquet file: {error}. Correct `format`, or download it again."
        ) from error


def _open(source: Path) -> pq.ParquetFile:
    """Open a file so that a repeated text stays a reference: a small file may repeat a long text a million times.

    Those in lists and structs do not: Arrow cannot read such a column once its dictionary has grown too large.
    """
    with pq.ParquetFile(source) as parquet:
        known = {*parquet.schema_arrow.names}
        paths = [path for index in range(len(parquet.schema)) if (path := parquet.schema.column(index).path) in known]
    return pq.ParquetFile(source, buffer_size=2**20, read_dictionary=paths)


def _decoded_sizes(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return the bytes of each row of a column, (N,) int64, with texts that stand in a dictionary counted in full."""
    kind = column.type
    if pa.types.is_struct(kind):
        return sum((_decoded_sizes(part) for part in column.flatten()), np.zeros(len(column), np.int64))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        rows = pc.list_parent_indices(column).to_numpy()
        inner = _decoded_sizes(pc.list_flatten(column))
        return np.bincount(rows, inner, minlength=len(column)).astype(np.int64)
    lengths = _lengths(column.dictionary).take(column.indices) if pa.types.is_dictionary(kind) else _lengths(column)
    return np.asarray(pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False), np.int64)


def _lengths(column: pa.Array) -> pa.Array:
    """Return the bytes of each value of a plain column, (N,) integers; of values of no text the mean."""
    kind = column.type
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        column = column.cast(pa.large_binary())
    elif not any(is_kind(kind) for is_kind in _TEXTS):
        return pa.repeat(pa.scalar(-(-column.nbytes // max(1, len(column))), pa.int64()), len(column))
    return pc.binary_length(column)


_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def _slice(batch: pa.RecordBatch, sizes: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a batch, as many at a time as have `_SLICE_BYTES`, at least one."""
    ends, start = np.cumsum(sizes), 0
    while start < batch.num_rows:
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + _SLICE_BYTES, side="right")))
        yield batch.slice(start, end - start)
        start = end


def _check_strings(kind: pa.DataType, name: str, *, file: str) -> None:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise DataError(f"{file}: column {name!r} holds {kind}, and texts are strings. Name another column in `text`.")


def _values(column: pa.Array, name: str, *, file: str, as_text: bool) -> list[object]:
    kind = _plain_type(column.type)
    if as_text and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        raise DataError(f"{file}: column {name!r} holds {kind}. {SEVERAL_VALUES}")
    try:
        cells = column.cast(kind)
        cells = cells.cast(pa.large_string()) if as_text else cells
        cells.validate(full=True)
    except pa.ArrowException as error:
        raise DataError(
            f"{file}: column {name!r} holds {kind}, and cannot be read as text: {error}. Write it as UTF-8 strings."
        ) from error
    values: list[object] = cells.to_pylist()
    return values


def _nested_values(column: pa.Array, name: str, holds: Holds, *, file: str) -> list[object]:
    """Return the values of a column of lists or of bytes; an image of the Hub is a struct with its `bytes`."""
    if holds == "json":
        return [None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]
    if holds == "bytes" and pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = pc.struct_field(column, "bytes")
    kind = _plain_type(column.type)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    inner = kind.value_type if is_list else kind
    fits = is_list and (holds == "cells" or pa.types.is_string(inner) or pa.types.is_large_string(inner))
    if not ((pa.types.is_binary(kind) or pa.types.is_large_binary(kind)) if holds == "bytes" else fits):
        raise DataError(f"{file}: column {name!r} holds {kind}, not {HOLDINGS[holds]}. Name another column.")
    try:
        cells = column.cast(kind).cast(ARROW_TYPES[holds])
        cells.validate(full=True)
    except pa.ArrowException as error:
        raise DataError(f"{file}: column {name!r} holds {kind}, not {HOLDINGS[holds]}: {error}. Correct it.") from error
    values: list[object] = cells.to_pylist()
    return values


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return a type with values in place of references to a dictionary."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    return pa.large_list(_plain_type(kind.value_type)) if pa.types.is_large_list(kind) else kind
