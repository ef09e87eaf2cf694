"""Sketches: the rarest shingles of a text, of which near duplicates share some."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.checks.near.shingles import Shingles, batch_texts, roll_hashes
from pipeline.evaluate.metrics import Ints

# Shingles that two near duplicates must share among the rarest of each: more of them leave fewer candidates, but more
# held-out texts have to be looked at. On plain and on templated texts 8 was the fastest of 1, 4, 8 and 16.
SHARED = 8
_BUCKET_BITS = 20
_RANK_BITS, _HASH_BITS = 6, 46  # beside the 12 of the text's number in its batch

ShingleRanks = npt.NDArray[np.uint8]


class Sketches(NamedTuple):
    """The rarest shingles of N texts, end to end, the rarest of each first: `hashes` (M,), `counts` (N,) of each.

    `sizes` (N,) count all different shingles of a text, and `least` (N,) those that a near duplicate has too. A sketch
    has `sizes - least + wanted` of them, so that two near duplicates share at least the lower `wanted` of both.
    """

    hashes: npt.NDArray[np.uint32]
    counts: Ints
    sizes: Ints
    least: Ints

    @property
    def wanted(self) -> Ints:
        """The number of shingles in a sketch that a near duplicate shares, (N,)."""
        return np.minimum(SHARED, self.least)


def rank_shingles(texts: Shingles) -> ShingleRanks:
    """Return the rank of each bucket of shingles, by their hashes: the more of the texts have one, the higher.

    A rank stands for a quarter of an octave, so the table takes 4 MiB whatever the texts.
    """
    counts = np.bincount((texts.hashes >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64), minlength=2**_BUCKET_BITS)
    ranks = np.ceil(4 * np.log2(np.arange(1, counts.max(initial=0) + 2)))
    table: ShingleRanks = np.minimum(ranks, 2**_RANK_BITS - 1).astype(np.uint8)
    return table[counts]


def sketch_keys(keys: Sequence[str], ranks: ShingleRanks, *, similarity: float, size: int) -> Sketches:
    """Return the sketches of a batch of keys (see `batch_texts`), of shingles of `size` characters.

    Near duplicates share some of the rarest shingles of each, however rare is defined, so a template that all texts
    share makes no candidates.

    Source: Chaudhuri, Ganti and Kaushik (2006), A primitive operator for similarity joins in data cleaning; Wang, Li
    and Feng (2012), Can we beat the prefix filtering?, for several shared shingles in place of one.
    """
    hashes, owners = roll_hashes(keys, size)
    keyed = owners.astype(np.uint64) << np.uint64(_RANK_BITS + _HASH_BITS)
    keyed |= ranks[hashes >> np.uint64(64 - _BUCKET_BITS)].astype(np.uint64) << np.uint64(_HASH_BITS)
    keyed |= hashes & np.uint64(2**_HASH_BITS - 1)
    keyed.sort()  # by text, rank and hash: a sort of plain numbers, which takes a tenth of an indirect one
    new = np.ones(len(keyed), np.bool_)
    new[1:] = keyed[1:] != keyed[:-1]
    keyed = keyed[new]
    owners = (keyed >> np.uint64(_RANK_BITS + _HASH_BITS)).astype(np.int64)
    sizes = np.bincount(owners, minlength=len(keys))
    least = np.ceil(similarity * sizes - 1e-9).astype(np.int64)
    counts = sizes - least + np.minimum(SHARED, least)
    kept = np.arange(len(keyed)) - (np.cumsum(sizes) - sizes)[owners] < counts[owners]
    return Sketches(keyed[kept].astype(np.uint32), counts, sizes, least)


def sketch_texts(texts: Iterable[str], ranks: ShingleRanks, *, similarity: float, size: int) -> Sketches:
    """Return the sketches of the texts, in their order."""
    return join_sketches(
        sketch_keys(keys, ranks, similarity=similarity, size=size) for keys in batch_texts(texts, size)
    )


def join_sketches(parts: Iterable[Sketches]) -> Sketches:
    """Return the sketches of all parts as one."""
    none = np.empty(0, np.int64)
    columns = zip(Sketches(np.empty(0, np.uint32), none, none, none), *parts, strict=True)
    return Sketches(*(np.concatenate(column) for column in columns))


def pack_sketches(sketches: Sketches) -> pa.RecordBatch:
    """Return sketches as rows."""
    starts = pa.array(np.concatenate([[0], np.cumsum(sketches.counts)]), pa.int32())
    columns = {
        "hashes": pa.ListArray.from_arrays(starts, pa.array(sketches.hashes)),
        "size": sketches.sizes,
        "least": sketches.least,
    }
    return pa.record_batch(columns)


def unpack_sketches(rows: pa.RecordBatch) -> Sketches:
    """Return the sketches of rows made by `pack_sketches`."""
    hashes, sizes, least = rows.columns
    counts = hashes.value_lengths().to_numpy().astype(np.int64)
    return Sketches(hashes.flatten().to_numpy(), counts, sizes.to_numpy(), least.to_numpy())


def hash_ranks(ranks: ShingleRanks) -> bytes:
    """Return the SHA-256 of ranks, which sketches depend on."""
    return hashlib.sha256(ranks.tobytes()).digest()
