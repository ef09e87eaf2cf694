"""Shingles: the runs of characters of a text, as a set of 64-bit hashes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.metrics import Ints
from pipeline.examples.text import text_key

Hashes = npt.NDArray[np.uint64]

# Of a batch of texts: each character takes some 60 bytes while it lasts, and the number of a text fits into 12 bits.
BATCH_CHARS, BATCH_KEYS = 2**16, 2**12
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no power of it is 0 modulo 2**64
_PADDING = "\0"  # no normalised text holds it


class Shingles(NamedTuple):
    """The sets of shingles of N texts end to end: `hashes` (M,), each set rising, and the size of each set, (N,)."""

    hashes: Hashes
    sizes: Ints

    def take(self, places: Ints) -> "Shingles":
        """Return the sets at `places` (n,), in this order."""
        sizes, starts = self.sizes[places], (np.cumsum(self.sizes) - self.sizes)[places]
        return Shingles(
            self.hashes[np.arange(sizes.sum()) + np.repeat(starts - np.cumsum(sizes) + sizes, sizes)], sizes
        )


_NONE = Shingles(np.empty(0, np.uint64), np.empty(0, np.int64))


def batch_texts(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield what shingles of `size` characters are taken of, the `text_key` of each text, a batch at a time, in order.

    A text that is shorter is its own only shingle.
    """
    batch: list[str] = []
    chars = 0
    for text in texts:
        batch.append(text_key(text).ljust(size, _PADDING))
        chars += len(batch[-1])
        if chars >= BATCH_CHARS or len(batch) == BATCH_KEYS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def roll_hashes(keys: Sequence[str], size: int) -> tuple[Hashes, Ints]:
    """Return the hashes of all runs of `size` characters of the keys, (M,), and the number of the key of each, (M,).

    Equal runs have equal hashes, and different ones with a probability of about 1e-19, and all bits depend on the whole
    run.

    Source: Karp and Rabin (1987), Efficient randomized pattern-matching algorithms, with the modulus 2**64.
    """
    counts = np.array([len(key) - size + 1 for key in keys])
    codes = np.frombuffer("".join(keys).encode("utf-32-le", "surrogatepass"), np.uint32)
    rolling = np.zeros(len(codes) - size + 1, np.uint64)
    for start in range(size):
        rolling *= _BASE
        rolling += codes[start : start + len(rolling)]
    owners = np.repeat(np.arange(len(keys)), counts)
    hashes = rolling[np.arange(len(owners)) + owners * (size - 1)]  # without those that span two texts
    hashes ^= hashes >> np.uint64(32)
    hashes *= _BASE
    hashes ^= hashes >> np.uint64(29)
    return hashes, owners


def collect_shingles(keys: Sequence[str], size: int) -> Shingles:
    """Return the shingles of the keys of a batch."""
    if not keys:
        return _NONE
    hashes, owners = roll_hashes(keys, size)
    order = np.argsort(hashes)
    order = order[np.argsort(owners.astype(np.uint16)[order], kind="stable")]  # small numbers are sorted by their bits
    hashes, owners = hashes[order], owners[order]
    new = np.ones(len(hashes), np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return Shingles(hashes[new], np.bincount(owners[new], minlength=len(keys)))


def hash_texts(texts: Iterable[str], size: int) -> Shingles:
    """Return the shingles of the texts, in their order: 8 bytes a character."""
    hashes, sizes = zip(_NONE, *(collect_shingles(keys, size) for keys in batch_texts(texts, size)), strict=True)
    return Shingles(np.concatenate(hashes), np.concatenate(sizes))
