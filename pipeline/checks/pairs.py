"""Pairs of texts: both as one text, and the texts that pairs of several splits share."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.chunks import Chunks, is_train, select_train
from pipeline.checks.keys import hash_keys
from pipeline.checks.measure import Measure, measure_failed
from pipeline.checks.rows import RowTest, count_failures
from pipeline.examples.pairs import whole_texts
from pipeline.examples.text import text_key
from pipeline.settings.shared.texts import PAIR


def join_pairs(chunks: Chunks) -> Chunks:
    """Return the examples with both texts of a pair as its text; single texts as they are."""
    if PAIR not in chunks.schema.names:
        return chunks
    return chunks.derive("text", ("text", PAIR), lambda chunk: pa.array(whole_texts(chunk), pa.string()))


def measure_shared(chunks: Chunks) -> Measure:
    """Return the share of held-out pairs, those of validation and test, with a text that a pair of train has too."""
    texts = [_hash_pairs(chunk) for chunk in select_train(chunks).read("text", PAIR)]
    known = np.unique(np.concatenate([np.empty(0, np.uint64), *(column for pair in texts for column in pair)]))
    known = known[known != 0]  # 0 is a missing text

    def is_shared(chunk: pa.Table) -> pa.Array:
        first, second = _hash_pairs(chunk)
        return pa.array(np.isin(first, known) | np.isin(second, known))

    held_out = chunks.filter(("split",), lambda chunk: pc.invert(is_train(chunk)))
    tests = {"shared": RowTest(("text", PAIR), is_shared)}
    return measure_failed(count_failures(held_out, tests)["shared"])


def _hash_pairs(chunk: pa.Table) -> tuple[npt.NDArray[np.uint64], ...]:
    """Return 64 bits of the hash of the `text_key` of both texts, (N,) each; 0 for a missing one."""
    columns = (chunk[name].to_pylist() for name in ("text", PAIR))
    return tuple(hash_keys(None if text is None else text_key(text) for text in texts)[:, 0] for texts in columns)
