"""Near duplicates in train of held-out texts, if an earlier run has compared most of both."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.checks.chunks import Chunks, Kept
from pipeline.checks.near.candidates import Mask, SketchIndex
from pipeline.checks.near.duplicates import compare
from pipeline.checks.near.shingles import batch_texts, hash_texts
from pipeline.checks.near.sketches import (
    ShingleRanks,
    Sketches,
    hash_ranks,
    join_sketches,
    pack_sketches,
    rank_shingles,
    sketch_keys,
    unpack_sketches,
)
from pipeline.core.parts.ledger import Ledger
from pipeline.evaluate.metrics import Ints

LEAST_KNOWN = 0.5  # of the held-out texts are known of the run before, or its ranks are taken to be of other texts
SKETCHES_AT_A_TIME, PAIRS_AT_A_TIME = 2**14, 2**12
_NEAR, _RANKS, _SKETCHES = "near duplicates", "ranks of shingles", "sketches"
_ORDER, _COMPARED = b"order", b"compared"  # beside the digests of chunks, which are longer
_Names = npt.NDArray[np.uint64]


class _Memory(NamedTuple):
    """What a run has compared: the held-out texts of some names with the chunks of train of some digests.

    `near` are the names of the held-out texts with a near duplicate in a chunk; its sketches were made by `ranks`.
    """

    ranks: ShingleRanks
    compared: _Names
    near: Mapping[bytes, _Names]


class _IncompleteError(Exception):
    """Near duplicates may be missing: the limits cut a text, or sketches were lost."""


class _Search:
    """The comparison of held-out texts with the chunks of train, whose sketches are kept."""

    def __init__(
        self, texts: Sequence[str], ranks: ShingleRanks, ledger: Ledger, similarity: float, shingle: int
    ) -> None:
        """Take the held-out texts, and what a near duplicate of them is."""
        self._texts, self._ranks, self._ledger = texts, ranks, ledger
        self._similarity, self._shingle = similarity, shingle
        self._order = hash_ranks(ranks)

    def has_sketches(self, digest: bytes) -> bool:
        """Return whether the sketches of a chunk are kept."""
        return self._ledger.has_part(_SKETCHES, self._order, digest)

    def compare_new(self, train: Chunks, chunks: Mapping[int, bytes]) -> Iterator[tuple[bytes, Ints]]:
        """Yield the digests of some chunks, by their numbers, and the places of the held-out texts near to each."""
        if not chunks:
            return
        index = SketchIndex(join_sketches(self._sketch(self._texts)))
        for digest, chunk in zip(chunks.values(), train.read("text", only=chunks), strict=True):
            own, places, start = chunk["text"].to_pylist(), list[Ints](), 0
            sketches = self._sketch(own)
            for part in sketches:
                rows, others = _list_candidates(index, part, len(self._texts))
                places.append(others[self._compare(own, rows + start, others)])
                start += len(part.sizes)
            self._ledger.write_part(_SKETCHES, self._order, digest, answer=pack_sketches(join_sketches(sketches)))
            yield digest, np.unique(np.concatenate([np.empty(0, np.int64), *places]))

    def compare_known(self, train: Chunks, chunks: Mapping[int, bytes], added: Ints) -> Iterator[tuple[bytes, Ints]]:
        """Yield the same of chunks with sketches, of the held-out texts at the places `added` alone, of those near."""
        if not len(added) or not chunks:
            return
        index = SketchIndex(join_sketches(self._sketch([self._texts[at] for at in added])))
        pairs = [pair for group in self._read_sketches(chunks) for pair in _list_pairs(index, group, len(added))]
        asked, texts = dict[int, list[int]](), list[str]()
        for at, row, _ in pairs:
            asked.setdefault(at, []).append(row)
        for rows, chunk in zip(asked.values(), train.read("text", only=asked), strict=True):
            texts += chunk["text"].take(pa.array(rows)).to_pylist()
        places = added[np.array([place for *_, place in pairs], np.int64)]
        for start in range(0, len(pairs), PAIRS_AT_A_TIME):
            own = slice(start, start + PAIRS_AT_A_TIME)
            near = self._compare(texts[own], np.arange(len(texts[own])), places[own])
            for (at, *_), place in zip(itertools.compress(pairs[own], near), places[own][near], strict=True):
                yield chunks[at], np.array([place])

    def _read_sketches(self, chunks: Mapping[int, bytes]) -> Iterator[list[tuple[int, Sketches]]]:
        """Yield the sketches of chunks after their numbers, as many at a time as pay for a comparison."""
        group, size = list[tuple[int, Sketches]](), 0
        for at, digest in chunks.items():
            part = self._ledger.read_part(_SKETCHES, self._order, digest)
            if part is None:  # damaged, or removed meanwhile
                raise _IncompleteError
            group.append((at, unpack_sketches(part)))
            size += part.num_rows
            if size >= SKETCHES_AT_A_TIME:
                yield group
                group, size = [], 0
        if group:
            yield group

    def _sketch(self, texts: Sequence[str]) -> list[Sketches]:
        """Return the sketches of texts, a batch each."""
        return [
            sketch_keys(keys, self._ranks, similarity=self._similarity, size=self._shingle)
            for keys in batch_texts(texts, self._shingle)
        ]

    def _compare(self, texts: Sequence[str], rows: Ints, places: Ints) -> Mask:
        """Return which pairs, of `texts` at `rows` (P,) and of held-out texts at `places` (P,), are near, (P,)."""
        (own, left), (held, right) = (np.unique(given, return_inverse=True) for given in (rows, places))
        return compare(
            hash_texts([texts[at] for at in own], self._shingle),
            left,
            hash_texts([self._texts[at] for at in held], self._shingle),
            right,
            self._similarity,
        )


def find_in_kept_chunks(
    train: Chunks, kept: Kept, texts: Sequence[str], names: _Names, *, similarity: float, shingle: int
) -> list[int] | None:
    """Return the positions of the held-out `texts` with a near duplicate in train, rising, as `find_near_duplicates`.

    `names` (H,) are hashes of the texts. A chunk of train that an earlier run has compared with most of them is
    compared with the others, by its sketches, and is read if they have candidates. Its sketches may be by the ranks of
    other texts, since near duplicates are the same whatever the order of shingles. They are not if the limits cut a
    text: then None is returned.
    """
    memory = _recall(kept.ledger, names) or _Memory(rank_shingles(hash_texts(texts, shingle)), names[:0], {})
    search = _Search(texts, memory.ranks, kept.ledger, similarity, shingle)
    near = {
        digest: memory.near[digest] for digest in kept.digests if digest in memory.near and search.has_sketches(digest)
    }
    new, known = (
        {at: own for at, own in enumerate(kept.digests) if (own in near) is is_known} for is_known in (False, True)
    )
    added = np.flatnonzero(~np.isin(names, memory.compared))
    try:
        more = [*search.compare_new(train, new), *search.compare_known(train, known, added)]
    except _IncompleteError:
        return None
    for digest, places in more:
        near[digest] = np.union1d(near.get(digest, names[:0]), names[places])
    every = np.concatenate([names[:0], *near.values()])
    gone = every[~np.isin(every, names)]
    if len(gone):  # held-out texts of the run before
        near = {digest: own[~np.isin(own, gone)] for digest, own in near.items()}
    _remember(kept.ledger, _Memory(memory.ranks, np.unique(names), near))
    return np.flatnonzero(np.isin(names, every)).tolist()


def _list_candidates(index: SketchIndex, sketches: Sketches, texts: int) -> tuple[Ints, Ints]:
    rows, places, limited = index.list_candidates(sketches, np.zeros(texts, np.bool_))
    if limited.any():
        raise _IncompleteError
    return rows, places


def _list_pairs(
    index: SketchIndex, group: Sequence[tuple[int, Sketches]], texts: int
) -> Iterator[tuple[int, int, int]]:
    """Yield the chunk's number, its row and the place in the index, which has `texts` texts, of each likely pair."""
    numbers = [at for at, _ in group]
    starts = np.cumsum([0, *(len(own.sizes) for _, own in group)])
    rows, places = _list_candidates(index, join_sketches(own for _, own in group), texts)
    chunks = np.searchsorted(starts, rows, side="right") - 1
    for chunk, row, place in zip(chunks.tolist(), (rows - starts[chunks]).tolist(), places.tolist(), strict=True):
        yield numbers[chunk], row, place


def _recall(ledger: Ledger, names: _Names) -> _Memory | None:
    """Return what the run before has compared; None if most of the held-out texts were others."""
    answers = ledger.read(_NEAR)
    ranks = ledger.read_part(_RANKS, answers.pop(_ORDER, b""))
    compared = np.frombuffer(answers.pop(_COMPARED, b""), np.uint64)
    if ranks is None or np.isin(names, compared).sum() < LEAST_KNOWN * len(names):
        return None
    near = {digest: np.frombuffer(own, np.uint64) for digest, own in answers.items()}
    return _Memory(ranks["rank"].to_numpy(), compared, near)


def _remember(ledger: Ledger, memory: _Memory) -> None:
    """Keep what was compared, in one part, so that it is of one run."""
    order = hash_ranks(memory.ranks)
    ledger.write_part(_RANKS, order, answer=pa.record_batch({"rank": memory.ranks}))
    near = {digest: names.tobytes() for digest, names in memory.near.items()}
    ledger.write(_NEAR, {_ORDER: order, _COMPARED: memory.compared.tobytes(), **near})
