"""Leaked texts: the same or nearly the same text in two splits."""

import zlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence, Set

from datasketch import MinHash, MinHashLSH

from pipeline.examples.text import text_key

# Probability with which a pair of exactly the wanted similarity becomes a candidate; more similar pairs surpass it.
RECALL = 0.99


def mark_shared(keys: Sequence[Hashable], splits: Sequence[Hashable]) -> list[bool]:
    """Return for each row whether its key occurs in more than one split; a missing key (None) never does."""
    places = defaultdict(set)
    for name, split in zip(keys, splits, strict=True):
        places[name].add(split)
    return [name is not None and len(places[name]) > 1 for name in keys]


def find_near_duplicates(
    train: Iterable[str], held_out: Sequence[str], *, similarity: float, permutations: int, shingle: int, seed: int
) -> list[int]:
    """Return the positions in `held_out`, rising, of texts that have a near duplicate in `train`.

    Near duplicates are texts whose sets of shingles (`shingle` characters of the text's `key`) have a Jaccard
    similarity of at least `similarity`. MinHash with banding finds the candidates and the true similarity of each
    decides, so none is reported wrongly; a pair is missed with a probability of at most 1 - `RECALL`, if
    `permutations` are enough for it.

    Source: Broder (1997), On the resemblance and containment of documents; Leskovec, Rajaraman & Ullman, Mining of
    Massive Datasets (2014), section 3.4.
    """
    blank = MinHash(num_perm=permutations, seed=seed, hashfunc=zlib.crc32)
    index = MinHashLSH(num_perm=permutations, params=choose_bands(similarity, permutations))
    sets = [shingles(text, shingle) for text in held_out]
    for position, parts in enumerate(sets):
        index.insert(position, _sketch(blank, parts))
    duplicates: set[int] = set()
    for parts in (shingles(text, shingle) for text in train):
        candidates = set(index.query(_sketch(blank, parts))) - duplicates
        duplicates.update(position for position in candidates if jaccard(parts, sets[position]) >= similarity)
    return sorted(duplicates)


def choose_bands(similarity: float, permutations: int) -> tuple[int, int]:
    """Return (bands, rows of a band): the longest bands that still find a pair at `similarity` with chance `RECALL`.

    A pair of similarity s agrees in one of b bands of r rows with probability 1 - (1 - s**r)**b. If no length reaches
    `RECALL` (a low similarity, few permutations), bands are one row long, which finds the most.

    Source: Leskovec, Rajaraman & Ullman, Mining of Massive Datasets (2014), section 3.4.2.
    """
    for rows in range(permutations // 2, 1, -1):
        if 1 - (1 - similarity**rows) ** (permutations // rows) >= RECALL:
            return permutations // rows, rows
    return permutations, 1


def jaccard(left: Set[str], right: Set[str]) -> float:
    """Return the Jaccard similarity of two sets that are not both empty, in [0, 1]."""
    common = len(left & right)
    return common / (len(left) + len(right) - common)


def shingles(text: str, size: int) -> set[str]:
    """Return all runs of `size` characters of the text's `key`; a shorter text is its own only shingle."""
    text = text_key(text)
    return {text[start : start + size] for start in range(max(1, len(text) - size + 1))}


def _sketch(blank: MinHash, parts: Iterable[str]) -> MinHash:
    """Return the MinHash of a set, with the permutations of `blank`."""
    sketch = blank.copy()
    sketch.update_batch([part.encode() for part in parts])
    return sketch
