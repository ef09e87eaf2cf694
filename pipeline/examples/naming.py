"""Names of classes out of the Parquet file itself, if the params leave them to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.errors import DataError, PipelineError, UsageError, listed
from pipeline.core.tables import name_indices
from pipeline.examples.files import expand_files, is_packed
from pipeline.examples.read import stream_records
from pipeline.examples.records import Records
from pipeline.settings.ingest import IngestParams

Params = TypeVar("Params", bound=IngestParams)


def adopt_names(file: Path, params: Params) -> Params:
    """Return the params of `file`, with the classes that it names in place of `labels` left out.

    Params that need no names come back as they are.

    Raises:
        UsageError: The file, or one of several, names no classes.
        DataError: One of several names others, or the names are none that classes may have; or the file is damaged.
    """
    column = params.unnamed()
    if column is None:
        return params
    try:
        return _adopt(file, column, params)
    except (PipelineError, pa.ArrowException, OSError):
        for _ in stream_records(file, params):  # a fault of the file itself comes first
            pass
        raise


def stream_named(file: Path, params: IngestParams) -> Iterator[Records]:
    """Yield the rows of `file`, some thousand at a time; if the classes have the names in it, as indices or null.

    A negative index stands for no label there.

    Source: datasets 5.2, `ClassLabel`: "You can use negative integers to represent unknown/missing labels."
    """
    column = params.unnamed()
    for records in stream_records(file, params):
        yield records if column is None else _without_negative(records, column)


def _adopt(file: Path, column: str, params: Params) -> Params:
    paths = [file / name for name, _ in expand_files(file, params.files)] if params.files else [file]
    names = [_read_names(path, column) for path in paths]
    for path, other in zip(paths, names, strict=True):
        if other != names[0]:
            raise DataError(
                f"{path}: column {column!r}: other classes than in {paths[0].name}, found {listed(other)} and not "
                f"{listed(names[0])}. Name files with the same classes, or give `labels`."
            )
    named = params.name_classes(names[0])
    if errors := list(named.list_errors()):
        raise DataError(f"{file}: column {column!r}: the names in the file: {'; '.join(errors)}. Give `labels`.")
    return named


def _read_names(path: Path, column: str) -> tuple[str, ...]:
    names = () if is_packed(path) else name_indices(pq.read_schema(path), column)
    if not names:
        raise UsageError(
            f"{path}: column {column!r}: the file does not name the classes, as `datasets` would write them into its "
            "metadata. Give `labels` (the classes), or `threshold` (for numeric labels)."
        )
    return names


def _without_negative(records: Records, column: str) -> Records:
    cells = records.columns[column]
    if not pa.types.is_large_string(cells.type):
        return records
    known = pc.if_else(pc.starts_with(cells, "-"), pa.scalar(None, cells.type), cells)
    return records._replace(columns={**records.columns, column: known})
