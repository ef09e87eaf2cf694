"""Chunks of the examples: some thousand rows at a time, read again as often as they are asked for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.tables import stream_parquet
from pipeline.evaluate.metrics import Ints

# Enough that the time goes into the rows; as many bytes where rows are large, as images are.
CHUNK_ROWS, CHUNK_BYTES = 4096, 2**25
_Read = Callable[[Sequence[str]], Iterator[pa.Table]]
_Make = Callable[[pa.Table], pa.Array]


class Chunks:
    """The examples of a task, or some of them, in order. What is kept of a chunk, not the file, takes memory."""

    def __init__(self, schema: pa.Schema, read: _Read) -> None:
        """Read by `read(columns)`, which yields tables of these columns from the first row on."""
        self.schema = schema
        self._read = read

    def read(self, *columns: str) -> Iterator[pa.Table]:
        """Yield all chunks with some of the columns, in this order."""
        return self._read(columns)

    def values(self, column: str) -> Iterable[Any]:
        """Return the values of a column; each iteration reads them again."""
        return _Values(self, column)

    def derive(self, name: str, needs: Sequence[str], make: _Make) -> "Chunks":
        """Return the same rows with the column `name`, which `make` makes of a chunk with the columns `needs`.

        It may be new, or take the place of a column.
        """
        return self._add(name, needs, lambda chunk, _start: make(chunk))

    def mark(self, name: str, positions: Ints) -> "Chunks":
        """Return the same rows with a column more, which is true at `positions`, rising, and false elsewhere."""

        def mark_chunk(chunk: pa.Table, start: int) -> pa.Array:
            low, high = np.searchsorted(positions, (start, start + chunk.num_rows))
            marks = np.zeros(chunk.num_rows, np.bool_)
            marks[positions[low:high] - start] = True
            return pa.array(marks)

        return self._add(name, ("row",), mark_chunk)

    def filter(self, needs: Sequence[str], keep: _Make) -> "Chunks":
        """Return the rows at which `keep` is true of a chunk with the columns `needs`."""

        def read(columns: Sequence[str]) -> Iterator[pa.Table]:
            for chunk in self._read(_unite(columns, needs)):
                yield chunk.filter(keep(chunk)).select(columns)

        return Chunks(self.schema, read)

    def _add(self, name: str, needs: Sequence[str], make: Callable[[pa.Table, int], pa.Array]) -> "Chunks":
        def read(columns: Sequence[str]) -> Iterator[pa.Table]:
            if name not in columns:
                yield from self._read(columns)
                return
            start = 0
            for chunk in self._read(_unite([other for other in columns if other != name], needs)):
                others = chunk.drop_columns([name]) if name in chunk.column_names else chunk
                yield others.append_column(name, make(chunk, start)).select(columns)
                start += chunk.num_rows

        return Chunks(self.schema, read)


class _Values:
    def __init__(self, chunks: Chunks, column: str) -> None:
        self._chunks, self._column = chunks, column

    def __iter__(self) -> Iterator[Any]:
        for chunk in self._chunks.read(self._column):
            yield from chunk[self._column].to_pylist()


def chunk_file(path: Path) -> Chunks:
    """Return the chunks of a file of examples.

    Raises:
        EnvironmentFault: The file is missing or damaged; raised now, or when the damaged part is read.
    """
    schema, _ = stream_parquet(path, [], rows=1)
    metadata = pq.read_metadata(path)
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    rows = max(1, min(CHUNK_ROWS, CHUNK_BYTES * metadata.num_rows // max(size, 1)))

    def read(columns: Sequence[str]) -> Iterator[pa.Table]:
        for batch in stream_parquet(path, columns, rows=rows)[1]:
            yield pa.Table.from_batches([batch]).select(columns)

    return Chunks(schema, read)


def select_train(chunks: Chunks) -> Chunks:
    """Return the examples of the split train."""
    return chunks.filter(("split",), is_train)


def is_train(chunk: pa.Table) -> pa.ChunkedArray:
    """Return which rows of a chunk are of the split train; one without a split is not."""
    return pc.fill_null(pc.equal(chunk["split"], "train"), fill_value=False)


def _unite(columns: Sequence[str], needs: Sequence[str]) -> list[str]:
    return list(dict.fromkeys((*columns, *needs)))
