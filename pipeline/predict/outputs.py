"""The file of answers: CSV, JSON Lines or Parquet, written batch by batch; equal answers give equal bytes."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import UsageError
from pipeline.core.files import publish

WRITTEN = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")


def find_form(out: Path) -> str:
    """Return csv, jsonl or parquet, by the name of a file.

    Raises:
        UsageError: The name tells none of them.
    """
    if not out.name.lower().endswith(WRITTEN):
        raise UsageError(f"--out: the name tells no format, found {out.name!r}. End it in {', '.join(WRITTEN)}.")
    return out.name.lower().removesuffix(".gz").rpartition(".")[2]


def write_answers(out: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Publish answers with the columns of `schema`, in the format that the name of the file tells.

    Raises:
        UsageError: The name tells none.
    """
    form = find_form(out)
    chosen = (batch.select(schema.names) for batch in batches)
    with publish(out) as partial:
        if form == "parquet":
            with pq.ParquetWriter(partial, schema, compression="zstd") as parquet:
                for batch in chosen:
                    parquet.write_batch(batch)
        else:
            with _open_text(partial, packed=out.suffix.lower() == ".gz") as stream:
                (_write_csv if form == "csv" else _write_json_lines)(stream, schema, chosen)


@contextmanager
def _open_text(path: Path, *, packed: bool) -> Iterator[IO[str]]:
    """Open a file to write UTF-8; packed without a time and a name, so that equal texts give equal bytes."""
    with path.open("wb") as stored:
        packing = gzip.GzipFile("", "wb", 6, stored, mtime=0) if packed else None
        with io.TextIOWrapper(cast(IO[bytes], packing or stored), encoding="utf-8", newline="") as stream:
            yield stream


def _write_csv(stream: IO[str], schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write rows; a truth value is true or false, and a list stands in its cell as JSON."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(schema.names)
    coded = [pa.types.is_boolean(kind) or pa.types.is_nested(kind) for kind in schema.types]
    for batch in batches:
        columns = [
            [json.dumps(cell, ensure_ascii=False) for cell in column.to_pylist()] if is_coded else column.to_pylist()
            for column, is_coded in zip(batch.columns, coded, strict=True)
        ]
        writer.writerows(zip(*columns, strict=True))


def _write_json_lines(stream: IO[str], _schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    for batch in batches:
        stream.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in batch.to_pylist())
