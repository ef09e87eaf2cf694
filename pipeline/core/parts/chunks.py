"""Chunks of rows, each of which is computed by itself, with bounds that an edit elsewhere does not move.

Source: Muthitacharoen, Chen and Mazieres 2001, A Low-bandwidth Network File System, section 3.1.
"""

import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# The mean of a chunk's rows: fewer make more files and batches with more padding, more are computed for one new row.
MEAN_ROWS = 1024
PART_BYTES = 2**25  # of a chunk, unless one row is larger

_Sizes = npt.NDArray[np.int64]


def cut_chunks(
    batches: Iterable[pa.RecordBatch], *, mean: int = MEAN_ROWS, most_bytes: int = PART_BYTES
) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in chunks, the same however the rows come.

    One row in `mean` starts a chunk, by the hash of its `id` alone, so that rows that are added, changed or removed
    change their own chunk and no other. A chunk of four times `mean` rows, or of `most_bytes` bytes, ends in any case.
    Rows of one id, which are neighbours, start one chunk.
    """
    waiting, before = list[pa.RecordBatch](), None
    rows = size = 0
    for batch in batches:
        ids = batch["id"].to_pylist()
        starts = {
            row
            for row, (own, last) in enumerate(zip(ids, [before, *ids], strict=False))
            if own != last and own is not None and zlib.crc32(own.encode()) % mean == 0
        }
        ends = np.cumsum([0, *measure_row_bytes(batch).tolist()])  # bytes before each row of the batch
        for first, stop in pairwise(sorted({0, *starts, len(ids)})):
            begin = first
            if rows and first in starts:
                yield pa.concat_batches(waiting)
                waiting, rows, size = [], 0, 0
            while begin < stop:
                fitting = int(np.searchsorted(ends, ends[begin] + most_bytes - size, side="right")) - 1
                end = min(stop, begin + 4 * mean - rows, max(fitting, begin if rows else begin + 1))
                waiting.append(batch.slice(begin, end - begin))
                rows, size, begin = rows + end - begin, size + int(ends[end] - ends[begin]), end
                if begin < stop:
                    yield pa.concat_batches(waiting)
                    waiting, rows, size = [], 0, 0
        before = ids[-1] if ids else before
    if rows:
        yield pa.concat_batches(waiting)


def measure_row_bytes(batch: pa.RecordBatch) -> _Sizes:
    """Return the bytes that each row holds, (N,), whatever lies before and after it."""
    sizes = [_measure(column) for column in batch.columns]
    return np.sum(sizes, axis=0, dtype=np.int64) if sizes else np.zeros(batch.num_rows, np.int64)


def _measure(values: pa.Array) -> _Sizes:
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _fill(pc.binary_length(values))
    if pa.types.is_struct(kind):
        return measure_row_bytes(pa.RecordBatch.from_struct_array(values))
    if pa.types.is_list(kind):
        inner = np.concatenate([[0], np.cumsum(_measure(values.flatten()))])
        ends = np.cumsum(_fill(pc.list_value_length(values)))
        return np.diff(inner[ends], prepend=0)
    return np.full(len(values), max(1, kind.bit_width // 8), np.int64)


def _fill(lengths: pa.Array) -> _Sizes:
    return np.asarray(pc.coalesce(lengths, pa.scalar(0, lengths.type)).to_numpy(), np.int64)


def digest_rows(rows: pa.RecordBatch, *, but: Collection[str] = ()) -> bytes:
    """Return the SHA-256 of the rows: of all columns `but` some, and of no metadata."""
    named = [name for name in rows.schema.names if name not in but]
    return hashlib.sha256(to_bytes(rows.select(named).replace_schema_metadata(None))).digest()


def to_bytes(rows: pa.RecordBatch) -> pa.Buffer:
    """Return rows as an Arrow IPC stream."""
    size = pa.MockOutputStream()
    _write(size, rows)
    content = pa.allocate_buffer(size.size())  # once: a sink that grows takes up to twice as much
    _write(pa.FixedSizeBufferWriter(content), rows)
    return content


def _write(sink: pa.NativeFile, rows: pa.RecordBatch) -> None:
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)


def from_bytes(content: pa.Buffer) -> pa.RecordBatch:
    """Return the rows of an Arrow IPC stream made by `to_bytes`; they share its memory.

    Raises:
        ArrowException: It is none.
    """
    with pa.ipc.open_stream(content) as reader:
        return reader.read_next_batch()
