"""The Parquet files of a dataset's splits joined to one file, the form that `ingest` reads."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import DataError, listed
from pipeline.settings.fields import Split

_COLUMN = "split"
_BATCH_ROWS = 65_536
_DAMAGE = (pa.ArrowException, OSError)


def join_splits(splits: Mapping[Split, Sequence[Path]], out: Path) -> None:
    """Write the rows of all files, in the order given, to `out` with their split in a last column `split`.

    One batch is in memory at a time. The metadata of the schema are left out: they describe the files, not the whole.

    Raises:
        DataError: A file is not Parquet, has a column `split` of its own, or other columns than the first file.
    """
    files = [(split, path) for split, paths in splits.items() for path in paths]
    schema = _schema(files[0][1])
    if _COLUMN in schema.names:
        raise DataError(
            f"{files[0][1].name} has a column {_COLUMN!r} of its own. List its files instead of mapping splits."
        )
    with pq.ParquetWriter(out, schema.append(pa.field(_COLUMN, pa.string())), compression="zstd") as writer:
        for split, path in files:
            if not (other := _schema(path)).equals(schema):
                raise DataError(
                    f"{path.name}: other columns than {files[0][1].name}, {_describe_difference(other, schema)}. "
                    "Name only files with the same columns."
                )
            for batch in _batches(path):
                column = pa.repeat(split, batch.num_rows)
                writer.write_batch(pa.record_batch([*batch.columns, column], schema=writer.schema))


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path).remove_metadata()
    except _DAMAGE as error:
        raise DataError(
            f"{path.name} is not a Parquet file, found {error}. Name only Parquet files in a map of splits."
        ) from error


def _describe_difference(schema: pa.Schema, wanted: pa.Schema) -> str:
    """Return the columns, with their types, that differ; if none does, their order does."""
    more = [f"{field.name}: {field.type}" for field in set(schema) - set(wanted)]
    less = [f"{field.name}: {field.type}" for field in set(wanted) - set(schema)]
    added, lacking = f"found {listed(sorted(more))}", f"without {listed(sorted(less))}"
    return ", ".join([*([added] if more else []), *([lacking] if less else [])]) or "found another order"


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        yield from pq.ParquetFile(path).iter_batches(batch_size=_BATCH_ROWS)
    except _DAMAGE as error:
        raise DataError(f"{path.name} is damaged: {error}. Pin another revision.") from error
