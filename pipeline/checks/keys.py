"""Keys that rows share, an id or a text: as hashes of 16 bytes, however long they are."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.chunks import Chunks
from pipeline.evaluate.metrics import Ints
from pipeline.examples.text import text_key
from pipeline.settings.shared.texts import PAIR

KeyHashes = npt.NDArray[np.uint64]

_HASH_BYTES = 16
_MISSING = bytes(_HASH_BYTES)


def mark_keys(chunks: Chunks, leaking: Sequence[str]) -> Chunks:
    """Return the examples with two columns more.

    `repeated` says whether another row has the same id, `leaked` whether a row of another split has the same value in
    one of the columns `leaking`; texts are the same if their `text_key` is, pairs if both texts are.
    """
    splits = _number_splits(chunks)
    repeated, leaks = find_repeated(_hash_column(chunks, "id")), np.empty(0, np.int64)
    for name in leaking:  # one column at a time, since a column's hashes are most of what is kept
        leaks = np.union1d(leaks, find_shared(_hash_column(chunks, name), splits))
    return chunks.mark("repeated", repeated).mark("leaked", leaks)


def _number_splits(chunks: Chunks) -> Ints:
    """Return a number of the split of each row, (N,)."""
    codes: dict[str | None, int] = {}
    numbers = [np.empty(0, np.int64)]
    for chunk in chunks.read("split"):
        splits = pc.dictionary_encode(chunk["split"].combine_chunks(), null_encoding="encode")
        own = [codes.setdefault(split, len(codes)) for split in splits.dictionary.to_pylist()]
        numbers.append(np.array(own, np.int64)[splits.indices.to_numpy()])
    return np.concatenate(numbers)


def _hash_column(chunks: Chunks, column: str) -> KeyHashes:
    needs = [column, *([PAIR] if column == "text" and PAIR in chunks.schema.names else [])]
    parts = chunks.compute(f"keys of {column}", needs, lambda chunk: hash_keys(_list_keys(chunk, column)).tobytes())
    return join_hashes(np.frombuffer(part, np.uint64).reshape(-1, 2) for part in parts)


def hash_keys(keys: Iterable[str | None]) -> KeyHashes:
    """Return 128 bits of the BLAKE2b hash of each key, (N, 2); 0 for a missing one.

    Any two of 10 million keys share them with a probability of 1e-25.
    """
    digests = (
        _MISSING if key is None else blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
        for key in keys
    )
    return np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)


def join_hashes(parts: Iterable[KeyHashes]) -> KeyHashes:
    """Return the hashes of all parts as one, (N, 2)."""
    return np.concatenate([np.empty((0, 2), np.uint64), *parts])


def find_repeated(hashes: KeyHashes) -> Ints:
    """Return the rows whose key another row has, rising."""
    alike = _list_alike(hashes)
    order, _, counts = _group(hashes[alike])
    return _sort_given(alike[order[np.repeat(counts > 1, counts)]], hashes)


def find_shared(hashes: KeyHashes, splits: Ints) -> Ints:
    """Return the rows whose key a row of another split has, rising; `splits` (N,) are numbers."""
    alike = _list_alike(hashes)
    if not len(alike):
        return alike
    order, starts, counts = _group(hashes[alike])
    own = splits[alike[order]]
    several = np.minimum.reduceat(own, starts) != np.maximum.reduceat(own, starts)
    return _sort_given(alike[order[np.repeat(several, counts)]], hashes)


def find_first(hashes: KeyHashes) -> Ints:
    """Return the first row with each key, rising; a missing key counts as one."""
    order, starts, _ = _group(hashes)
    return np.sort(order[starts])


def _list_keys(chunk: pa.Table, column: str) -> list[str | None]:
    values: list[str | None] = chunk[column].to_pylist()
    if column != "text":
        return values
    seconds = chunk[PAIR].to_pylist() if PAIR in chunk.column_names else None
    rows = zip(values, strict=True) if seconds is None else zip(values, seconds, strict=True)
    return [None if None in texts else "\0".join(map(text_key, texts)) for texts in rows]


def _list_alike(hashes: KeyHashes) -> Ints:
    """Return the rows whose first 64 bits another row has, rising: few of millions, which a sort of numbers finds."""
    first = np.ascontiguousarray(hashes[:, 0])
    ordered = np.sort(first)
    several = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(first, several)) if len(several) else np.empty(0, np.int64)


def _group(hashes: KeyHashes) -> tuple[Ints, Ints, Ints]:
    """Return the rows (N,) by key and by row, and for each of K keys where its rows start, and how many they are."""
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    first, second = hashes[order].T
    new = np.ones(len(order), np.bool_)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    starts = np.flatnonzero(new)
    return order, starts, np.diff(starts, append=len(order))


def _sort_given(rows: Ints, hashes: KeyHashes) -> Ints:
    """Return the rows that have a key, rising."""
    return np.sort(rows[hashes[rows].any(axis=1)])
