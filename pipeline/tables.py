"""Columnar files with the task's name and classes in their schema, byte-identical for equal content."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import EnvironmentFault
from pipeline.files import publish


def described(table: pa.Table, *, task: str, labels: tuple[str, ...]) -> pa.Table:
    """Return `table` with the task's name and its classes, in order, in the schema's metadata and nothing else."""
    return table.replace_schema_metadata({"task": task, "labels": json.dumps(labels, ensure_ascii=False)})


def labels_of(table: pa.Table) -> tuple[str, ...]:
    """Return the classes of a `described` table, in order: position = class index."""
    return tuple(json.loads(table.schema.metadata[b"labels"]))


def task_of(table: pa.Table) -> str:
    """Return the task's name of a `described` table."""
    name: str = table.schema.metadata[b"task"].decode()
    return name


def write_parquet(out: Path, table: pa.Table) -> None:
    """Publish `table` as one Parquet file (zstd)."""
    with publish(out) as partial:
        pq.write_table(table, partial, compression="zstd")


def read_parquet(path: Path) -> pa.Table:
    """Return the table of a Parquet file written by `write_parquet`.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise EnvironmentFault(f"{path} could not be read: {error}. Run `dvc repro` to make it again.") from error


def write_arrow(out: Path, table: pa.Table) -> None:
    """Publish `table` as one uncompressed Arrow IPC file, which can be memory-mapped."""
    with publish(out) as partial, pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_arrow(path: Path) -> pa.Table:
    """Return the memory-mapped table of a file written by `write_arrow`.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowException) as error:
        raise EnvironmentFault(f"{path} could not be read: {error}. Run `dvc repro` to make it again.") from error
