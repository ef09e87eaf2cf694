"""Rows of a Parquet file that somebody else wrote: the wanted columns, as they are or as text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import DataError
from pipeline.examples.records import RawRow, RowFault, find_columns

_BATCH_ROWS = 1024


def read_parquet_rows(
    source: Path, *, file: str, columns: Sequence[str], text: str | None = None, max_bytes: int | None = None
) -> Iterator[RawRow]:
    """Yield the wanted values of each row, numbered from 1; the bytes come from `source`, messages name `file`.

    If `text` names a column, all values are text: numbers, dates and booleans as Arrow spells them. A batch of rows is
    in memory.

    Raises:
        DataError: Not a whole Parquet file, a wanted column missing or twice, broken UTF-8, more than `max_bytes` once
            unpacked; or, with `text`, lists or structs in a column, or a `text` that is not a string or is null.
    """
    size, first, empty = 0, 1, RowFault(file, "whose text is null", column=text)
    try:
        parquet = pq.ParquetFile(source, buffer_size=2**20)
        find_columns(file, columns, parquet.schema_arrow.names)
        if text is not None:
            _check_strings(parquet.schema_arrow.field(text).type, text, file=file)
        for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)):
            size += batch.nbytes
            if max_bytes is not None and size > max_bytes:
                raise DataError(f"{file}: has more than {max_bytes} bytes unpacked. Raise `max_file_bytes` if it may.")
            values = [_values(batch[name], name, file=file, as_text=text is not None) for name in columns]
            for number, row in enumerate(zip(*values, strict=True), start=first):
                if text is not None and row[columns.index(text)] is None:
                    empty.add(number)
                yield number, row
            first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{file}: not a whole Parquet file: {error}. Correct `format`, or bring the file again."
        ) from error
    empty.check("Fill the texts, or remove the rows.")


def _check_strings(kind: pa.DataType, name: str, *, file: str) -> None:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise DataError(f"{file}: column {name!r} holds {kind}, and texts are strings. Name another column in `text`.")


def _values(column: pa.Array, name: str, *, file: str, as_text: bool) -> list[object]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
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
