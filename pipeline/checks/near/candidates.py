"""LikelyPairs: pairs of texts whose sketches share so many shingles that they may be near duplicates."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from pipeline.checks.near.sketches import SHARED, Sketches
from pipeline.evaluate.metrics import Ints

# The most texts of an index that one text looks at and is compared with, so that time grows with the texts and not with
# their square.
MOST_LOOKED_AT = 4096
MOST_CANDIDATES = 64
_FILTER_BITS = 22

Mask = npt.NDArray[np.bool_]


class LikelyPairs(NamedTuple):
    """Pairs to compare: the positions of texts (P,) and those in the index (P,); which texts (N,) the limits cut."""

    rows: Ints
    places: Ints
    limited: Mask


class SketchIndex:
    """The texts that have a shingle in their sketch, by the shingle."""

    def __init__(self, sketches: Sketches) -> None:
        """Take the sketches of H texts."""
        owners = np.repeat(np.arange(len(sketches.counts)), sketches.counts)
        self._known, columns = np.unique(sketches.hashes, return_inverse=True)
        ones, shape = np.ones(len(owners), np.int32), (len(self._known), len(sketches.counts))
        self._texts = csr_matrix((ones, (columns, owners)), shape=shape)
        self._filter = np.zeros(2**_FILTER_BITS, np.bool_)
        self._filter[self._known >> np.uint32(32 - _FILTER_BITS)] = True
        self._sizes, self._least, self._wanted = sketches.sizes, sketches.least, sketches.wanted

    def list_candidates(self, own: Sketches, skipped: Mask) -> LikelyPairs:
        """Return the pairs of N texts and those of the index, but for the `skipped` (H,), that may be near duplicates.

        None is missing, unless a text is limited: it looks at as many shingles of its sketch, from the rarest on, as
        the limits allow, wants as many fewer of them shared, and is compared with the likeliest.
        """
        owners = np.repeat(np.arange(len(own.counts)), own.counts)
        entries, columns = self._find(own.hashes)
        costs = np.zeros(len(owners), np.int64)
        costs[entries] = np.diff(self._texts.indptr)[columns]
        looked_at, firsts = np.cumsum(costs), np.cumsum(own.counts) - own.counts
        before = np.concatenate([[0], looked_at])[firsts]
        allowed = np.bincount(owners[looked_at - before[owners] <= MOST_LOOKED_AT], minlength=len(own.counts))
        spare = own.sizes - own.least
        wanted = np.minimum(allowed - spare, own.wanted)
        limited = wanted < 1
        kept = entries - firsts[owners[entries]] < np.where(limited, 0, spare + wanted)[owners[entries]]
        starts = np.concatenate([[0], np.cumsum(np.bincount(owners[entries[kept]], minlength=len(own.counts)))])
        shape = len(own.counts), len(self._known)
        pairs = csr_matrix((np.ones(starts[-1], np.int32), columns[kept], starts), shape=shape) @ self._texts
        rows, wanted = np.repeat(np.arange(len(wanted)), np.diff(pairs.indptr)), np.maximum(wanted, 1)
        likely = pairs.data >= np.minimum(wanted, self._wanted.min(initial=SHARED))[rows]  # few of millions
        rows, places, counts = rows[likely], pairs.indices[likely], pairs.data[likely]
        enough = counts >= np.minimum(wanted[rows], self._wanted[places])
        alike = np.minimum(own.sizes[rows], self._sizes[places]) >= np.maximum(own.least[rows], self._least[places])
        kept = enough & alike & ~skipped[places]
        rows, places, counts = rows[kept], places[kept], counts[kept]
        order = np.lexsort((places, -counts, rows))
        rows, places = rows[order], places[order]
        nearest = np.arange(len(rows)) - np.searchsorted(rows, rows) < MOST_CANDIDATES
        limited[rows[~nearest]] = True
        return LikelyPairs(rows[nearest], places[nearest], limited)

    def _find(self, hashes: npt.NDArray[np.uint32]) -> tuple[Ints, Ints]:
        """Return the positions of the hashes that the index has, (K,), rising, and where it has them, (K,)."""
        entries = np.flatnonzero(self._filter[hashes >> np.uint32(32 - _FILTER_BITS)])  # few of all
        columns = np.searchsorted(self._known, hashes[entries])
        there = np.minimum(columns, len(self._known) - 1)
        known = self._known[there] == hashes[entries] if len(self._known) else np.zeros(0, np.bool_)
        return entries[known], columns[known]
