"""Chunks of the examples: some thousand rows at a time, read again as often as they are asked for."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.parts.ledger import Ledger
from pipeline.core.tables import stream_parquet
from pipeline.evaluate.metrics import Ints

# Enough that the time goes into the rows; as many bytes where rows are large, as images are.
CHUNK_ROWS, CHUNK_BYTES = 4096, 2**25
# Reads some columns of the chunks of some numbers, of all if they are None.
Read = Callable[[Sequence[str], Collection[int] | None], Iterator[pa.Table]]
_Make = Callable[[pa.Table], pa.Array]


class Kept(NamedTuple):
    """The digest of each chunk, of all its columns but the line in the file, and what an earlier run made of them.

    Of all `rows`, `new` are in chunks that no earlier run has seen.
    """

    digests: Sequence[bytes]
    ledger: Ledger
    rows: int
    new: int


class Chunks:
    """The examples of a task, or some of them, in order. What is kept of a chunk, not the file, takes memory."""

    def __init__(
        self, schema: pa.Schema, read: Read, kept: Kept | None = None, marks: frozenset[str] = frozenset()
    ) -> None:
        """Read by `read`; each of the `marks` is a column that depends on rows of other chunks."""
        self.schema, self.kept, self.marks = schema, kept, marks
        self._read = read

    def read(self, *columns: str, only: Collection[int] | None = None) -> Iterator[pa.Table]:
        """Yield all chunks, or those of some numbers, with some of the columns, in this order."""
        return self._read(columns, only)

    def values(self, column: str) -> Iterable[Any]:
        """Return the values of a column; each iteration reads them again."""
        return _Values(self, column)

    def describe(self) -> str:
        """Return how many rows were computed, in words."""
        return f"{self.kept.new} of {self.kept.rows} rows computed" if self.kept else "all rows computed"

    def compute(self, question: str, columns: Sequence[str], answer: Callable[[pa.Table], bytes]) -> Iterator[bytes]:
        """Yield what `answer` makes of each chunk with these columns, or has made of it in an earlier run.

        A `question` is a name, and stands for one function: of the rows of a chunk, the params and the classes, and of
        nothing else.
        """
        if self.kept is None or self.marks & {*columns}:
            yield from map(answer, self.read(*columns))
            return
        digests, ledger = self.kept.digests, self.kept.ledger
        known = ledger.read(question)
        new = self.read(*columns, only={at for at, digest in enumerate(digests) if digest not in known})
        answers = dict[bytes, bytes]()
        for digest in digests:
            answers[digest] = known[digest] if digest in known else answer(next(new))
            yield answers[digest]
        if answers.keys() != known.keys():
            ledger.write(question, answers)

    def compute_json(self, question: str, columns: Sequence[str], answer: Callable[[pa.Table], Any]) -> Iterator[Any]:
        """Yield the same of a function whose values JSON can hold."""
        return map(json.loads, self.compute(question, columns, lambda chunk: json.dumps(answer(chunk)).encode()))

    def derive(self, name: str, needs: Sequence[str], make: _Make) -> "Chunks":
        """Return the same rows with the column `name`, which `make` makes of a chunk with the columns `needs`.

        It may be new, or take the place of a column.
        """
        marks = self.marks | {name} if self.marks & {*needs} else self.marks
        return self._add(name, needs, lambda chunk, _start: make(chunk), marks)

    def mark(self, name: str, positions: Ints) -> "Chunks":
        """Return the same rows with a column more, which is true at `positions`, rising, and false elsewhere."""

        def mark_chunk(chunk: pa.Table, start: int) -> pa.Array:
            low, high = np.searchsorted(positions, (start, start + chunk.num_rows))
            marks = np.zeros(chunk.num_rows, np.bool_)
            marks[positions[low:high] - start] = True
            return pa.array(marks)

        return self._add(name, ("row",), mark_chunk, self.marks | {name})

    def filter(self, needs: Sequence[str], keep: _Make) -> "Chunks":
        """Return the rows at which `keep` is true of a chunk with the columns `needs`."""

        def read(columns: Sequence[str], only: Collection[int] | None) -> Iterator[pa.Table]:
            for chunk in self._read(_unite(columns, needs), only):
                yield chunk.filter(keep(chunk)).select(columns)

        return Chunks(self.schema, read, None if self.marks & {*needs} else self.kept, self.marks)

    def _add(
        self, name: str, needs: Sequence[str], make: Callable[[pa.Table, int], pa.Array], marks: frozenset[str]
    ) -> "Chunks":
        def read(columns: Sequence[str], only: Collection[int] | None) -> Iterator[pa.Table]:
            if name not in columns:
                yield from self._read(columns, only)
                return
            start = 0
            for chunk in self._read(_unite([other for other in columns if other != name], needs), only):
                others = chunk.drop_columns([name]) if name in chunk.column_names else chunk
                yield others.append_column(name, make(chunk, start)).select(columns)
                start += chunk.num_rows

        return Chunks(self.schema, read, self.kept, marks)


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
    rows = fit_rows(path)

    def read(columns: Sequence[str], only: Collection[int] | None) -> Iterator[pa.Table]:
        for at, batch in enumerate(stream_parquet(path, columns, rows=rows)[1]):
            if only is None or at in only:
                yield pa.Table.from_batches([batch]).select(columns)

    return Chunks(schema, read)


def fit_rows(path: Path) -> int:
    """Return how many rows of a file of examples to read at a time."""
    metadata = pq.read_metadata(path)
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    fitting: int = CHUNK_BYTES * metadata.num_rows // max(size, 1)
    return max(1, min(CHUNK_ROWS, fitting))


def select_train(chunks: Chunks) -> Chunks:
    """Return the examples of the split train."""
    return chunks.filter(("split",), is_train)


def select_held_out(chunks: Chunks) -> Chunks:
    """Return the examples of the other splits, validation and test."""
    return chunks.filter(("split",), lambda chunk: pc.invert(is_train(chunk)))


def is_train(chunk: pa.Table) -> pa.ChunkedArray:
    """Return which rows of a chunk are of the split train; one without a split is not."""
    return pc.fill_null(pc.equal(chunk["split"], "train"), fill_value=False)


def _unite(columns: Sequence[str], needs: Sequence[str]) -> list[str]:
    return list(dict.fromkeys((*columns, *needs)))
