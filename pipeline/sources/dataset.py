"""The Parquet files of a dataset's splits joined to one file, the form that `ingest` reads."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.document import Document
from pipeline.core.errors import DataError, listed
from pipeline.core.tables import describe_features, features_of, infer_features, name_indices
from pipeline.settings.fields import Split

_COLUMN = "split"
_BATCH_ROWS = 65_536
_DAMAGE = (pa.ArrowException, OSError)


def join_splits(splits: Mapping[Split, Sequence[Path]], out: Path, features: Document | None = None) -> None:
    """Write the rows of all files, in the order given, to `out` with their split in a last column `split`.

    One batch is in memory at a time. Of the metadata the features are kept, with the names of classes: those given, or
    else those of the first file.

    Raises:
        DataError: A file is not Parquet, has a column `split` of its own, or other columns or classes than the first.
    """
    files = [(split, path) for split, paths in splits.items() for path in paths]
    schema = _schema(files[0][1])
    if _COLUMN in schema.names:
        raise DataError(
            f"{files[0][1].name} has a column {_COLUMN!r} of its own. List its files instead of mapping splits."
        )
    with pq.ParquetWriter(out, _with_split(schema, features or features_of(schema)), compression="zstd") as writer:
        for split, path in files:
            _require_alike(path, _schema(path), files[0][1], schema)
            for batch in _batches(path):
                column = pa.repeat(split, batch.num_rows)
                writer.write_batch(pa.record_batch([*batch.columns, column], schema=writer.schema))


def _with_split(schema: pa.Schema, features: Document) -> pa.Schema:
    """Return the schema with the column of the split, and what `features` says of the columns, if it does."""
    column = pa.schema({_COLUMN: pa.string()})
    known = {name: features[name] for name in schema.names if name in features}
    metadata = describe_features(known | infer_features(column, {})) if known else None
    return schema.append(column.field(0)).with_metadata(metadata)


def _require_alike(path: Path, schema: pa.Schema, first: Path, wanted: pa.Schema) -> None:
    """Require a file to have the columns of the first, and their classes if both name them.

    Raises:
        DataError: It has others.
    """
    if not schema.equals(wanted):
        raise DataError(
            f"{path.name}: other columns than {first.name}, {_describe_difference(schema, wanted)}. "
            "Name only files with the same columns."
        )
    for name in schema.names:
        names, known = name_indices(schema, name), name_indices(wanted, name)
        if names and known and names != known:
            raise DataError(
                f"{path.name}: column {name!r}: other classes than in {first.name}, found {listed(names)} and not "
                f"{listed(known)}. Name only files with the same classes."
            )


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
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
