"""The rows of a file of examples that baselines are fitted to, and those that they are asked about, some at a time."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.tables import labels_of, stream_parquet

PIECE_ROWS, PIECE_BYTES = 2**14, 2**27  # of a piece at most, or one row
CLASS_ROWS = 100  # of a class are drawn, if it has as many: a rare one would else be lost
_FITTED = ("train", "validation")

_Ranks = npt.NDArray[np.uint64]
_Ints = npt.NDArray[np.int64]


class Piece(NamedTuple):
    """Some rows of a file, and the position in the file of each, (n,), ascending."""

    rows: pa.Table
    positions: _Ints


class Drawn(NamedTuple):
    """The rows that are fitted to: of each split some of all; `total` are all rows of the file."""

    piece: Piece
    total: int
    splits: dict[str, tuple[int, int]]

    def describe(self) -> str | None:
        """Return how many rows of each split were drawn, in words; None if all were."""
        parts = [f"{some:,} of {every:,} {split}" for split, (some, every) in self.splits.items() if some < every]
        return f"fitted to {' and '.join(parts)} rows" if parts else None


class _Facts(NamedTuple):
    """What a draw depends on of each row, (N,): the rank of its id, its split (0, 1 or -1) and its class (or -1)."""

    ranks: _Ranks
    splits: npt.NDArray[np.int8]
    classes: npt.NDArray[np.int32]


def draw_rows(path: Path, most: int) -> Drawn:
    """Return at most `most` rows of train and a fifth as many of validation, in their order.

    Drawn are the rows with the lowest hashes of their ids, so rows that are appended displace few, and first as many of
    each class, up to `CLASS_ROWS`. The file is read twice; what is not drawn takes some twenty bytes a row.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    facts = _read_facts(path)
    drawn = np.zeros(len(facts.ranks), np.bool_)
    counts: dict[str, tuple[int, int]] = {}
    for place, (split, limit) in enumerate(zip(_FITTED, (most, most // 5), strict=True)):
        rows = np.flatnonzero(facts.splits == place)
        chosen = rows if len(rows) <= limit else _draw(rows, facts, limit)
        drawn[chosen] = True
        counts[split] = (len(chosen), len(rows))
    schema, batches = _stream(path)
    kept, start = list[pa.RecordBatch](), 0
    for batch in batches:
        kept.append(batch.filter(pa.array(drawn[start : start + batch.num_rows])))
        start += batch.num_rows
    return Drawn(Piece(_join(kept, schema), np.flatnonzero(drawn)), len(drawn), counts)


def _draw(rows: _Ints, facts: _Facts, most: int) -> _Ints:
    """Return `most` of more rows: the lowest of each class, then the lowest of all."""
    rows = rows[np.argsort(facts.ranks[rows], kind="stable")]
    classes = facts.classes[rows]
    present = np.unique(classes[classes >= 0])
    least = min(CLASS_ROWS, most // max(1, len(present)))
    first = np.zeros(len(rows), np.bool_)
    for own in present:
        first[np.flatnonzero(classes == own)[:least]] = True
    return np.concatenate([rows[first], rows[~first][: most - int(first.sum())]])


def read_pieces(path: Path) -> Iterator[Piece]:
    """Yield the rows outside train, in their order, as many at a time as a piece may hold.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    most = _count_rows(path)
    schema, batches = _stream(path)
    waiting, places, start, size = list[pa.RecordBatch](), list[_Ints](), 0, 0
    for batch in batches:
        asked = pc.not_equal(batch["split"], "train")
        waiting.append(batch.filter(asked))
        places.append(start + np.flatnonzero(asked.to_numpy(zero_copy_only=False)))
        start, size = start + batch.num_rows, size + waiting[-1].num_rows
        if size >= most:
            rows, positions = _join(waiting, schema), np.concatenate(places)
            yield Piece(rows.slice(0, most), positions[:most])
            waiting, places, size = rows.slice(most).to_batches(), [positions[most:]], size - most
    if size:
        yield Piece(_join(waiting, schema), np.concatenate(places))


def _read_facts(path: Path) -> _Facts:
    schema, batches = stream_parquet(path, ("id", "split", "label"), rows=PIECE_ROWS)
    has_classes = "label" in schema.names and pa.types.is_integer(schema.field("label").type) and labels_of(schema)
    parts = [_Facts(np.empty(0, np.uint64), np.empty(0, np.int8), np.empty(0, np.int32))]
    for batch in batches:
        splits = pc.fill_null(pc.index_in(batch["split"], pa.array(_FITTED)), -1)
        classes = pc.fill_null(batch["label"], -1) if has_classes else pa.array(np.full(batch.num_rows, -1))
        numbers = (column.to_numpy(zero_copy_only=False) for column in (splits, classes))
        splits, classes = numbers
        parts.append(_Facts(rank_ids(batch["id"].to_pylist()), splits.astype(np.int8), classes.astype(np.int32)))
    return _Facts(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def rank_ids(ids: Sequence[str]) -> _Ranks:
    """Return 64 bits of the hash of each id, (N,): whoever draws those with the lowest draws by each id alone."""
    digests = (blake2b(own.encode("utf-8", "surrogatepass"), digest_size=8).digest() for own in ids)
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)


def _stream(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema of a file, and its rows in pieces."""
    names = stream_parquet(path, (), rows=1)[0].names
    return stream_parquet(path, names, rows=_count_rows(path))


def _count_rows(path: Path) -> int:
    """Return the rows of a piece: fewer if they are large, as images are."""
    about = pq.read_metadata(path)
    size: int = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    fitting: int = PIECE_BYTES * about.num_rows // max(1, size)
    return max(1, min(PIECE_ROWS, fitting))


def _join(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches([batch.replace_schema_metadata(schema.metadata) for batch in batches], schema)
