"""Chunks of a file that an edit elsewhere in it does not move, of which an earlier run has made what is asked."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.checks.chunks import Chunks, Kept, fit_rows
from pipeline.core.parts.chunks import MEAN_ROWS, cut_chunks, digest_rows
from pipeline.core.parts.ledger import Ledger
from pipeline.core.tables import stream_parquet

HELD_BYTES = 2**26  # of new chunks at most that are not read from the file again
_CHUNKS = "chunks"


def keep_chunks(whole: Chunks, path: Path, ledger: Ledger | None) -> Chunks:
    """Return the examples of a file in chunks that an edit elsewhere does not move, with the answers about known ones.

    The file is read once for that, and again for what is not known: some columns of some chunks. Without a ledger
    nothing is known, and nothing is read yet.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    if ledger is None:
        return whole
    known = ledger.read(_CHUNKS)
    digests, sizes, held, size = list[bytes](), list[int](), dict[int, pa.Table](), 0
    for chunk in cut_chunks(stream_parquet(path, whole.schema.names, rows=fit_rows(path))[1], mean=MEAN_ROWS):
        digests.append(digest_rows(chunk, but=("row",)))
        sizes.append(chunk.num_rows)
        if known and digests[-1] not in known and size <= HELD_BYTES:
            held[len(digests) - 1] = pa.Table.from_batches([chunk])
            size += chunk.nbytes
    if known.keys() != {*digests}:
        ledger.write(_CHUNKS, dict.fromkeys(digests, b""))

    def read(columns: Sequence[str], only: Collection[int] | None) -> Iterator[pa.Table]:
        if only is not None and held.keys() >= {*only}:
            yield from (held[at].select(columns) for at in sorted(only))
        else:
            yield from _read_chunks(path, columns, sizes, only)

    new = sum(size for size, digest in zip(sizes, digests, strict=True) if digest not in known)
    return Chunks(whole.schema, read, Kept(digests, ledger, sum(sizes), new))


def _read_chunks(
    path: Path, columns: Sequence[str], sizes: Sequence[int], only: Collection[int] | None
) -> Iterator[pa.Table]:
    """Yield the chunks of these sizes, in order, or those of some numbers."""
    waiting, rows = list[pa.RecordBatch](), 0
    batches = stream_parquet(path, columns, rows=fit_rows(path))[1]
    for at, size in enumerate(sizes):
        while rows < size:
            waiting.append(next(batches))
            rows += waiting[-1].num_rows
        left, taken = size, list[pa.RecordBatch]()
        while left:
            batch = waiting.pop(0)
            taken.append(batch.slice(0, left))
            if batch.num_rows > left:
                waiting.insert(0, batch.slice(left))
            left -= taken[-1].num_rows
        rows -= size
        if only is None or at in only:
            yield pa.Table.from_batches(taken).select(columns)
