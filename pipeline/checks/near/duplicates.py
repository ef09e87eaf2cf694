"""Leaked texts: the same or nearly the same text in two splits."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from pipeline.checks.shingles import Hashes, Shingles, hash_texts, join_shingles, order_within
from pipeline.evaluate.metrics import Ints

# Shingles that two near duplicates must share among the rarest of each: more of them leave fewer candidates, but more
# held-out texts have to be looked at. On plain and on templated texts 8 was the fastest of 1, 4, 8 and 16.
SHARED = 8
# The most of both for one train text, so that time grows with the texts and not with their square.
MOST_LOOKED_AT = 4096
MOST_CANDIDATES = 64
# Hashes that link texts with too many candidates: two of similarity s share a least one with probability 1 - (1 - s)^8
_MIN_HASHES = 8

_Mask = npt.NDArray[np.bool_]


class NearDuplicates(NamedTuple):
    """The positions of the held-out texts that have a near duplicate in train, rising.

    `cut` train texts had more candidates than the limits allow, and were compared with the likeliest of them; if it is
    0, no near duplicate is missing.
    """

    positions: list[int]
    cut: int


class _Sets(NamedTuple):
    """N sets of shingles: `shared` (N, L) has a 1 for each of the L shingles of both sides, the rarest in train first.

    `sizes` (N,) count all shingles of a set, `least` (N,) those of them that a near duplicate has too.
    """

    shared: csr_matrix
    sizes: Ints
    least: Ints

    @property
    def spare(self) -> Ints:
        """The number of shared shingles that a near duplicate may lack, (N,); negative if the set cannot have one."""
        return np.asarray(np.diff(self.shared.indptr) - self.least)

    @property
    def wanted(self) -> Ints:
        """The number of shingles among the `spare` + `wanted` rarest that each near duplicate shares, (N,)."""
        return np.minimum(SHARED, self.least)

    def keep_rarest(self, wanted: Ints) -> csr_matrix:
        """Return `shared` with the `spare` + `wanted` rarest shingles of each set; none if it cannot have any."""
        return _keep_first(self.shared, np.where(self.spare < 0, 0, self.spare + wanted))


def find_near_duplicates(
    train: Iterable[str], held_out: Iterable[str], *, similarity: float, shingle: int
) -> NearDuplicates:
    """Return the texts of `held_out` that have a near duplicate in `train`, which is iterated twice.

    Near duplicates are texts whose sets of shingles (see `hash_texts`) have a Jaccard similarity of at least
    `similarity`.
    """
    held = join_shingles(hash_texts(held_out, shingle))
    marked, cut = np.zeros(len(held.sizes), np.bool_), 0
    for _, places, limited in _join(train, held, similarity, shingle, skipped=marked):
        marked[places] = True
        cut += limited
    return NearDuplicates(np.flatnonzero(marked).tolist(), cut)


def find_near_pairs(texts: Sequence[str], *, similarity: float, shingle: int) -> list[tuple[int, int]]:
    """Return the positions of near duplicates among `texts`, the lower first, rising.

    A text with more than `MOST_CANDIDATES` candidates is compared with the likeliest of them, so pairs may be missing;
    further pairs then link such texts, so that near duplicates are (almost surely) connected, if not directly.
    """
    own = join_shingles(hash_texts(texts, shingle))
    pairs: set[tuple[int, int]] = set()
    cut, none = 0, np.zeros(len(texts), np.bool_)
    for rows, places, limited in _join(texts, own, similarity, shingle, skipped=none):
        pairs |= _order_pairs(rows, places)
        cut += limited
    if cut:
        for rows, places in _link_alike(own, similarity):
            pairs |= _order_pairs(rows, places)
    return sorted(pairs)


def _order_pairs(rows: Ints, places: Ints) -> set[tuple[int, int]]:
    """Return the pairs of two texts, (P,) each, with the lower position first."""
    low, high = np.minimum(rows, places), np.maximum(rows, places)
    return set(zip(low[low < high].tolist(), high[low < high].tolist(), strict=True))


def _link_alike(own: Shingles, similarity: float) -> Iterator[tuple[Ints, Ints]]:
    """Yield, for each hash function, the texts that are near duplicates of the first text with the same least hash.

    Source: Broder (1997), On the resemblance and containment of documents: two sets share their least hash with a
    probability that is their Jaccard similarity.
    """
    starts = np.concatenate([[0], np.cumsum(own.sizes)])
    _, columns = np.unique(own.hashes, return_inverse=True)
    sets = csr_matrix((np.ones(len(columns), np.int32), columns, starts))
    for factor in np.random.default_rng(0).integers(2**63, size=_MIN_HASHES, dtype=np.uint64) * 2 + 1:
        mixed = own.hashes * factor
        mixed = (mixed ^ mixed >> np.uint64(32)) * factor
        _, first, group = np.unique(np.minimum.reduceat(mixed, starts[:-1]), return_index=True, return_inverse=True)
        places = first[group]
        rows = np.flatnonzero(places != np.arange(len(places)))
        places = places[rows]
        near = _compare(sets[rows], sets[places], own.sizes[rows] + own.sizes[places], similarity)
        yield rows[near], places[near]


def _join(
    train: Iterable[str], held: Shingles, similarity: float, shingle: int, *, skipped: _Mask
) -> Iterator[tuple[Ints, Ints, int]]:
    """Yield near duplicates, a piece of `train` at a time: their positions in `train` and in the held-out texts.

    The third is the number of train texts of the piece with more candidates than the limits allow. Held-out texts that
    are `skipped` (H,) when a piece begins are compared no more.

    Near duplicates share one of the rarest shingles of each, however rare is defined, so a template that all texts
    share makes no candidates. Each candidate is compared exactly, so none is reported wrongly.

    Memory is some 40 bytes for each shingle of a held-out text; train is read in pieces, twice.

    Source: Chaudhuri, Ganti and Kaushik (2006), A primitive operator for similarity joins in data cleaning; Wang, Li
    and Feng (2012), Can we beat the prefix filtering?, for several shared shingles in place of one.
    """
    known = _list_distinct(held.hashes)
    ranks = _rank_by_rarity(known, train, shingle)
    sets = _to_sets(held, known, ranks, similarity)
    index = sets.keep_rarest(sets.wanted).T.tocsr()
    start = 0
    for part in hash_texts(train, shingle):
        own = _to_sets(part, known, ranks, similarity)
        rows, places, limited = _list_candidates(own, sets, index, skipped)
        near = _compare(own.shared[rows], sets.shared[places], own.sizes[rows] + sets.sizes[places], similarity)
        yield start + rows[near], places[near], int(limited.sum())
        start += len(part.sizes)


def _list_distinct(hashes: Hashes) -> Hashes:
    """Return the different hashes, rising: `numpy.unique`, which takes ten times as long for millions."""
    ordered = np.sort(hashes)
    new = np.ones(len(ordered), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def _compare(left: csr_matrix, right: csr_matrix, sizes: Ints, similarity: float) -> _Mask:
    """Return which of P pairs of sets are near duplicates, (P,); `sizes` (P,) are those of both sets together."""
    overlap = np.asarray(left.multiply(right).sum(axis=1)).ravel()
    return np.asarray(overlap / (sizes - overlap) >= similarity)


def _rank_by_rarity(known: Hashes, train: Iterable[str], size: int) -> Ints:
    """Return the rank of each known shingle, the rarest in train first, (K,); -1 for those that train lacks."""
    counts = np.zeros(len(known), np.int64)
    for part in hash_texts(train, size):
        counts += np.bincount(_find(known, part.hashes)[0], minlength=len(known))
    present = np.flatnonzero(counts)
    ranks = np.full(len(known), -1)
    ranks[present[np.argsort(counts[present], kind="stable")]] = np.arange(len(present))
    return ranks


def _to_sets(part: Shingles, known: Hashes, ranks: Ints, similarity: float) -> _Sets:
    """Return sets of shingles with the ranks of those that both sides have."""
    places, present = _find(known, part.hashes)
    owners = np.repeat(np.arange(len(part.sizes)), part.sizes)[present]
    owners, columns = owners[ranks[places] >= 0], ranks[places][ranks[places] >= 0]
    order = order_within(owners, columns, len(part.sizes))
    starts = np.searchsorted(owners, np.arange(len(part.sizes) + 1))
    shape = len(part.sizes), int(ranks.max(initial=-1)) + 1
    shared = csr_matrix((np.ones(len(columns), np.int32), columns[order].astype(np.int32), starts), shape=shape)
    least = np.ceil(similarity * part.sizes - 1e-9).astype(np.int64)  # shingles that a near duplicate has too
    return _Sets(shared, part.sizes, least)


def _find(known: Hashes, hashes: Hashes) -> tuple[Ints, _Mask]:
    """Return the places in `known`, which rises, of those hashes that it has, and which of them it has, (M,)."""
    order = np.argsort(hashes)  # a search for rising hashes stays near the last one in memory
    places = np.empty(len(hashes), np.int64)
    places[order] = np.searchsorted(known, hashes[order])
    present = np.zeros(len(hashes), np.bool_)
    inside = np.flatnonzero(places < len(known))
    present[inside] = known[places[inside]] == hashes[inside]
    return places[present], present


def _list_candidates(own: _Sets, held_out: _Sets, index: csr_matrix, found: _Mask) -> tuple[Ints, Ints, _Mask]:
    """Return the pairs to compare, the position in `own` and in `held_out` of each, and which of `own` were limited.

    `index` (L, H) has the held-out texts of each rare shingle; those already `found` (H,) are no candidates. A set
    looks at as many of its rare shingles as the limits allow, and wants as many fewer of them shared.
    """
    owners = np.repeat(np.arange(len(own.sizes)), np.diff(own.shared.indptr))
    looked_at = np.cumsum(np.diff(index.indptr)[own.shared.indices])
    before = np.concatenate([[0], looked_at])[own.shared.indptr[:-1]]
    allowed = np.bincount(owners[looked_at - before[owners] <= MOST_LOOKED_AT], minlength=len(own.sizes))
    wanted = np.minimum(allowed - own.spare, own.wanted)
    limited = (own.spare >= 0) & (wanted < 1)
    pairs = own.keep_rarest(wanted) @ index
    rows, wanted = np.repeat(np.arange(len(wanted)), np.diff(pairs.indptr)), np.maximum(wanted, 1)
    likely = pairs.data >= np.minimum(wanted, held_out.wanted.min(initial=SHARED))[rows]  # few of millions
    rows, places, counts = rows[likely], pairs.indices[likely], pairs.data[likely]
    enough = counts >= np.minimum(wanted[rows], held_out.wanted[places])
    alike = np.minimum(own.sizes[rows], held_out.sizes[places]) >= np.maximum(own.least[rows], held_out.least[places])
    kept = enough & alike & ~found[places]
    rows, places, counts = rows[kept], places[kept], counts[kept]
    order = np.lexsort((places, -counts, rows))
    rows, places = rows[order], places[order]
    nearest = np.arange(len(rows)) - np.searchsorted(rows, rows) < MOST_CANDIDATES
    limited[rows[~nearest]] = True
    return rows[nearest], places[nearest], limited


def _keep_first(matrix: csr_matrix, counts: Ints) -> csr_matrix:
    """Return the matrix with the first entries of each row alone, as many as `counts` (N,) says."""
    lengths = np.diff(matrix.indptr)
    kept = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], lengths) < np.repeat(counts, lengths)
    starts = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return csr_matrix((matrix.data[kept], matrix.indices[kept], starts), shape=matrix.shape)
