"""Near duplicates: of held-out texts in train, and among texts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from pipeline.checks.near.candidates import Mask, SketchIndex
from pipeline.checks.near.shingles import Shingles, batch_texts, collect_shingles, hash_texts
from pipeline.checks.near.sketches import rank_shingles, sketch_keys, sketch_texts
from pipeline.evaluate.metrics import Ints

# Hashes that link texts with too many candidates: two of similarity s share a least one with probability 1 - (1 - s)^8
_MIN_HASHES = 8


class NearDuplicates(NamedTuple):
    """The positions of the held-out texts that have a near duplicate in train, rising.

    `cut` train texts had more candidates than the limits allow, and were compared with the likeliest of them; if it is
    0, no near duplicate is missing.
    """

    positions: list[int]
    cut: int


def find_near_duplicates(
    train: Iterable[str], held_out: Sequence[str], *, similarity: float, shingle: int
) -> NearDuplicates:
    """Return the texts of `held_out` that have a near duplicate in `train`.

    Near duplicates are texts whose sets of shingles (see `roll_hashes`) have a Jaccard similarity of at least
    `similarity`. Each candidate is compared exactly, so none is reported wrongly. Memory is some 40 bytes for each
    character of a held-out text; train is read in pieces.
    """
    marked, cut = np.zeros(len(held_out), np.bool_), 0
    for _, places, limited in _join(train, held_out, similarity, shingle, skipped=marked):
        marked[places] = True
        cut += limited
    return NearDuplicates(np.flatnonzero(marked).tolist(), cut)


def find_near_pairs(texts: Sequence[str], *, similarity: float, shingle: int) -> list[tuple[int, int]]:
    """Return the positions of near duplicates among `texts`, the lower first, rising.

    A text with more candidates than the limits allow is compared with the likeliest of them, so pairs may be missing;
    further pairs then link such texts, so that near duplicates are (almost surely) connected, if not directly.
    """
    pairs: set[tuple[int, int]] = set()
    cut, none = 0, np.zeros(len(texts), np.bool_)
    for rows, places, limited in _join(texts, texts, similarity, shingle, skipped=none):
        pairs |= _order_pairs(rows, places)
        cut += limited
    if cut:
        for rows, places in _link_alike(hash_texts(texts, shingle), similarity):
            pairs |= _order_pairs(rows, places)
    return sorted(pairs)


def _join(
    train: Iterable[str], held_out: Sequence[str], similarity: float, shingle: int, *, skipped: Mask
) -> Iterator[tuple[Ints, Ints, int]]:
    """Yield near duplicates, a piece of `train` at a time: their positions in `train` and in the held-out texts.

    The third is the number of train texts of the piece with more candidates than the limits allow. Held-out texts that
    are `skipped` (H,) when a piece begins are compared no more.
    """
    held = hash_texts(held_out, shingle)
    ranks = rank_shingles(held)
    index = SketchIndex(sketch_texts(held_out, ranks, similarity=similarity, size=shingle))
    start = 0
    for keys in batch_texts(train, shingle):
        sketches = sketch_keys(keys, ranks, similarity=similarity, size=shingle)
        rows, places, limited = index.list_candidates(sketches, skipped)
        different, own = np.unique(rows, return_inverse=True)
        near = compare(collect_shingles([keys[at] for at in different], shingle), own, held, places, similarity)
        yield start + rows[near], places[near], int(limited.sum())
        start += len(keys)


def compare(own: Shingles, rows: Ints, held: Shingles, places: Ints, similarity: float) -> Mask:
    """Return which of P pairs of sets are near duplicates, (P,): the sets of `own` at `rows`, of `held` at `places`."""
    different, theirs = np.unique(places, return_inverse=True)
    others = held.take(different)
    left, right = _to_matrices(own, others)
    overlap = np.asarray(left[rows].multiply(right[theirs]).sum(axis=1)).ravel()
    return np.asarray(overlap / (own.sizes[rows] + others.sizes[theirs] - overlap) >= similarity)


def _to_matrices(*sets: Shingles) -> list[csr_matrix]:
    """Return sets of shingles as matrices, (N, L) each, with a 1 for each of the L shingles of all."""
    known, columns = np.unique(np.concatenate([own.hashes for own in sets]), return_inverse=True)
    parts = np.split(columns, np.cumsum([len(own.hashes) for own in sets])[:-1])
    return [
        csr_matrix(
            (np.ones(len(part), np.int32), part, np.concatenate([[0], np.cumsum(own.sizes)])),
            shape=(len(own.sizes), len(known)),
        )
        for part, own in zip(parts, sets, strict=True)
    ]


def _link_alike(own: Shingles, similarity: float) -> Iterator[tuple[Ints, Ints]]:
    """Yield, for each hash function, the texts that are near duplicates of the first text with the same least hash.

    Source: Broder (1997), On the resemblance and containment of documents: two sets share their least hash with a
    probability that is their Jaccard similarity.
    """
    starts = np.cumsum(own.sizes) - own.sizes
    for factor in np.random.default_rng(0).integers(2**63, size=_MIN_HASHES, dtype=np.uint64) * 2 + 1:
        mixed = own.hashes * factor
        mixed = (mixed ^ mixed >> np.uint64(32)) * factor
        _, first, group = np.unique(np.minimum.reduceat(mixed, starts), return_index=True, return_inverse=True)
        places = first[group]
        rows = np.flatnonzero(places != np.arange(len(places)))
        places = places[rows]
        near = compare(own, rows, own, places, similarity)
        yield rows[near], places[near]


def _order_pairs(rows: Ints, places: Ints) -> set[tuple[int, int]]:
    """Return the pairs of two texts, (P,) each, with the lower position first."""
    low, high = np.minimum(rows, places), np.maximum(rows, places)
    return set(zip(low[low < high].tolist(), high[low < high].tolist(), strict=True))
