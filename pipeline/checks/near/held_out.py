"""The share of held-out texts that have a near duplicate in train."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.chunks import Chunks, select_held_out, select_train
from pipeline.checks.keys import hash_keys
from pipeline.checks.measure import Measure, ratio
from pipeline.checks.near.duplicates import NearDuplicates, find_near_duplicates
from pipeline.checks.near.kept import find_in_kept_chunks
from pipeline.checks.rows import locate
from pipeline.evaluate.metrics import Ints
from pipeline.settings.shared.texts import TextChecksParams

# Characters of the held-out texts that are compared with train: their shingles take some 40 bytes each.
MOST_HELD_OUT = 2**22

_Names = npt.NDArray[np.uint64]


def measure_near_duplicates(chunks: Chunks, params: TextChecksParams) -> Measure:
    """Return the share of held-out rows, those of validation and test, that have a near duplicate in train.

    Of held-out texts with more than `MOST_HELD_OUT` characters together a sample is compared, so that time grows with
    the rows and memory does not. A text is in it by the hash of its characters, whatever the order of the rows.
    """
    given = chunks.filter(("text",), lambda chunk: pc.is_valid(chunk["text"]))
    held_out, train = select_held_out(given), select_train(given)
    names, characters = _name_texts(held_out)
    drawn = (
        np.flatnonzero(names < 2**64 * MOST_HELD_OUT // characters)
        if characters > MOST_HELD_OUT
        else np.arange(len(names))
    )
    near, cut = _find(train, _read_texts(held_out, drawn), names[drawn], params)
    rows = drawn[near]
    limits = [f"looked for in {len(drawn)} of {len(names)} held-out texts"] if len(drawn) < len(names) else []
    limits += [f"{cut} train texts have too many like them to compare with all"] if cut else []
    return Measure(ratio(len(rows), len(drawn)), len(rows), locate(held_out, rows), "; ".join(limits) or None)


def _find(train: Chunks, texts: list[str], names: _Names, params: TextChecksParams) -> NearDuplicates:
    similarity, shingle = params.near_similarity, params.near_shingle
    if train.kept is not None:
        near = find_in_kept_chunks(train, train.kept, texts, names, similarity=similarity, shingle=shingle)
        if near is not None:
            return NearDuplicates(near, 0)
    return find_near_duplicates(train.values("text"), texts, similarity=similarity, shingle=shingle)


def _name_texts(held_out: Chunks) -> tuple[_Names, int]:
    """Return 64 bits of the hash of each text, (H,), and the number of characters of all."""

    def answer(chunk: pa.Table) -> bytes:
        characters = pc.sum(pc.utf8_length(chunk["text"])).as_py() or 0
        return np.append(hash_keys(chunk["text"].to_pylist())[:, 0], np.uint64(characters)).tobytes()

    parts = [np.frombuffer(own, np.uint64) for own in held_out.compute("held-out texts", ("text",), answer)]
    names = np.concatenate([np.empty(0, np.uint64), *(own[:-1] for own in parts)])
    return names, sum(int(own[-1]) for own in parts)


def _read_texts(held_out: Chunks, positions: Ints) -> list[str]:
    """Return the texts at some positions, rising."""
    texts, start = list[str](), 0
    for chunk in held_out.read("text"):
        low, high = np.searchsorted(positions, (start, start + chunk.num_rows))
        texts += chunk["text"].take(pa.array(positions[low:high] - start)).to_pylist()
        start += chunk.num_rows
    return texts
