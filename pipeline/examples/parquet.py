"""Rows of a Parquet file that somebody else wrote: only the wanted columns, as text."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import DataError
from pipeline.examples.records import Records, choose, fault


def parse(content: bytes, *, file: str, columns: Sequence[str], text: str, max_bytes: int) -> Records:
    """Return the wanted columns; numbers, dates and booleans as Arrow spells them; lines are row numbers from 1.

    Raises:
        DataError: Not a Parquet file, a wanted column missing or twice, lists or structs in it, a `text` that is not
            a string or is null, broken UTF-8, or more than `max_bytes` once unpacked.
    """
    try:
        parquet = pq.ParquetFile(pa.BufferReader(content))
        choose(file, columns, parquet.schema_arrow.names)
        table = _unpack(parquet, columns, file=file, max_bytes=max_bytes)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{file}: not a whole Parquet file: {error}. Correct `format`, or bring the file again."
        ) from error
    records = Records(file, list(range(1, table.num_rows + 1)), {})
    for name in columns:
        records.columns[name] = _texts(table.column(name), name, file=file, is_text=name == text)
    empty = [(row, None) for row, cell in zip(records.lines, records.columns[text], strict=True) if cell is None]
    if empty:
        raise fault(file, "whose text is null", empty, "Fill the texts, or remove the rows.", column=text)
    return records


def _unpack(parquet: pq.ParquetFile, columns: Sequence[str], *, file: str, max_bytes: int) -> pa.Table:
    batches, size = [], 0
    for batch in parquet.iter_batches(batch_size=1024, columns=list(columns)):
        size += batch.nbytes
        if size > max_bytes:
            raise DataError(f"{file}: has more than {max_bytes} bytes unpacked. Raise `max_file_bytes` if it may.")
        batches.append(batch)
    schema = pa.schema([parquet.schema_arrow.field(name) for name in columns])
    return pa.Table.from_batches([batch.select(list(columns)) for batch in batches], schema)


def _texts(column: pa.ChunkedArray, name: str, *, file: str, is_text: bool) -> list[str | None]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text and not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise DataError(f"{file}: column {name!r} holds {kind}, and texts are strings. Name another column in `text`.")
    try:
        cells = column.cast(kind).cast(pa.large_string())
        cells.validate(full=True)
    except pa.ArrowException as error:
        raise DataError(
            f"{file}: column {name!r} holds {kind}, and cannot be read as text: {error}. Write it as UTF-8 strings."
        ) from error
    texts: list[str | None] = cells.to_pylist()
    return texts
