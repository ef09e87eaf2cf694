"""The rows of a file of examples that baselines are fitted to, and those that they are asked about, some at a time."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.tables import stream_parquet

PIECE_ROWS = 2**14
_FITTED = ("train", "validation")

_Ranks = npt.NDArray[np.uint64]
_Mask = npt.NDArray[np.bool_]


class Piece(NamedTuple):
    """Some rows of a file, and the positions in the file of each, (n,), rising."""

    rows: pa.Table
    positions: npt.NDArray[np.int64]


class Drawn(NamedTuple):
    """The rows that are fitted to: of each split some of all; `total` are all rows of the file."""

    piece: Piece
    total: int
    splits: dict[str, tuple[int, int]]

    def describe(self) -> str | None:
        """Return how many rows of each split were drawn, in words; None if all were."""
        parts = [f"{some:,} of {every:,} {split}" for split, (some, every) in self.splits.items() if some < every]
        return f"fitted to {' and '.join(parts)} rows" if parts else None


def draw_rows(path: Path, most: int) -> Drawn:
    """Return the rows of train and of validation, at most `most` of each, in their order.

    Whether a row is drawn depends on the hash of its id and on how many have a lower one, so rows that are appended
    displace few. The file is read twice; what is not drawn takes 9 bytes a row.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    ranks, splits = _rank(path)
    drawn = np.zeros(len(ranks), np.bool_)
    counts: dict[str, tuple[int, int]] = {}
    for split in _FITTED:
        places = np.flatnonzero(splits == _FITTED.index(split))
        chosen = places if len(places) <= most else places[np.argpartition(ranks[places], most)[:most]]
        drawn[chosen] = True
        counts[split] = (len(chosen), len(places))
    schema, batches = stream_parquet(path, _names(path), rows=PIECE_ROWS)
    kept, start = list[pa.RecordBatch](), 0
    for batch in batches:
        kept.append(batch.filter(pa.array(drawn[start : start + batch.num_rows])))
        start += batch.num_rows
    return Drawn(Piece(_join(kept, schema), np.flatnonzero(drawn)), len(ranks), counts)


def read_pieces(path: Path) -> Iterator[Piece]:
    """Yield the rows outside train, in their order, `PIECE_ROWS` at a time.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    schema, batches = stream_parquet(path, _names(path), rows=PIECE_ROWS)
    waiting, places, start, size = list[pa.RecordBatch](), list[npt.NDArray[np.int64]](), 0, 0
    for batch in batches:
        asked = pc.not_equal(batch["split"], "train")
        waiting.append(batch.filter(asked))
        places.append(start + np.flatnonzero(asked.to_numpy(zero_copy_only=False)))
        start, size = start + batch.num_rows, size + waiting[-1].num_rows
        if size >= PIECE_ROWS:
            rows, positions = _join(waiting, schema), np.concatenate(places)
            yield Piece(rows.slice(0, PIECE_ROWS), positions[:PIECE_ROWS])
            waiting, places = rows.slice(PIECE_ROWS).to_batches(), [positions[PIECE_ROWS:]]
            size -= PIECE_ROWS
    if size:
        yield Piece(_join(waiting, schema), np.concatenate(places))


def _rank(path: Path) -> tuple[_Ranks, npt.NDArray[np.int8]]:
    """Return 64 bits of the hash of the id of each row, (N,), and its split: 0 for train, 1 for validation, or -1."""
    _, batches = stream_parquet(path, ("id", "split"), rows=PIECE_ROWS)
    ranks, splits = [np.empty(0, np.uint64)], [np.empty(0, np.int8)]
    for batch in batches:
        ranks.append(_hash(batch["id"].to_pylist()))
        places = pc.fill_null(pc.index_in(batch["split"], pa.array(_FITTED)), -1)
        splits.append(places.to_numpy(zero_copy_only=False).astype(np.int8))
    return np.concatenate(ranks), np.concatenate(splits)


def _hash(ids: Sequence[str]) -> _Ranks:
    digests = b"".join(blake2b(own.encode(), digest_size=8).digest() for own in ids)
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def _names(path: Path) -> list[str]:
    names: list[str] = stream_parquet(path, (), rows=1)[0].names
    return names


def _join(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches([batch.replace_schema_metadata(schema.metadata) for batch in batches], schema)
