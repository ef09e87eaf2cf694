"""The profile of a split, a few numbers, and the distance between two profiles (drift)."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.checks.chunks import Chunks
from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.examples.text import count_words
from pipeline.settings.task import Profile

# Bins of the length of a text in words, right-open: bin 0 is below 1, the last is 1024 and above. Half octaves, so
# that a bin is about as wide as the difference that matters. A reference is only valid for the edges it was made with.
LENGTH_EDGES = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 724, 1024)

_ReadRows = Callable[[pa.Table], tuple[Sequence[str | None], Sequence[str | None]]]


class Counts(NamedTuple):
    """What a profile counts of some rows: the rows with each label, and the texts in each bin of lengths."""

    labels: list[tuple[str | None, int]]
    lengths: list[int]


def count_profile(texts: Sequence[str | None], labels: Sequence[str | None]) -> Counts:
    """Return the counts of rows; a missing text counts as one of no words."""
    words = [count_words(text or "") for text in texts]
    lengths = np.bincount(np.searchsorted(LENGTH_EDGES, words, side="right"), minlength=len(LENGTH_EDGES) + 1)
    return Counts([*Counter(labels).items()], lengths.tolist())


def profile_split(parts: Iterable[Counts], classes: Sequence[str]) -> Document:
    """Return the profile of a split: rows, the share of each class in the order given, and texts in each length bin.

    Shares are 0 if there are no rows; a label outside `classes` counts as a row and appears nowhere.
    """
    counts: Counter[str | None] = Counter()
    lengths = np.zeros(len(LENGTH_EDGES) + 1, np.int64)
    for part in parts:
        lengths += part.lengths
        counts.update(dict(part.labels))
    rows = counts.total()
    return {
        "rows": rows,
        "label_shares": {label: counts[label] / rows if rows else 0.0 for label in classes},
        "length_counts": lengths.tolist(),
    }


def read_unlabelled(chunk: pa.Table) -> tuple[list[str | None], list[None]]:
    """Return the texts of a chunk with the column `text`, and no labels."""
    return chunk["text"].to_pylist(), [None] * chunk.num_rows


def profile_chunks(chunks: Chunks, columns: Sequence[str], read: _ReadRows, classes: Sequence[str]) -> Document:
    """Return the profile of examples; `read(chunk)` are the texts and labels of a chunk with these columns."""
    answers = chunks.compute_json("profile", columns, lambda chunk: count_profile(*read(chunk)))
    return profile_split((Counts(*answer) for answer in answers), classes)


def label_drift(present: Mapping[str, Any], reference: Profile) -> float:
    """Return the total variation distance of the label shares, in [0, 1]; a class of one side only has share 0."""
    return total_variation(present["label_shares"], reference.label_shares)


def length_drift(present: Mapping[str, Any], reference: Profile) -> float:
    """Return the Kolmogorov-Smirnov distance of the binned lengths, in [0, 1].

    Raises:
        UsageError: The reference was made with other length bins.
    """
    bins, expected = len(reference.length_counts), len(present["length_counts"])
    if bins != expected:
        raise UsageError(
            f"reference profile: {bins} length bins, this version counts {expected}. Run `python -m pipeline accept "
            "TASK` to make the present profile the reference."
        )
    return kolmogorov_smirnov(present["length_counts"], reference.length_counts)


def total_variation(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """Return half the sum of absolute differences of two distributions over names, in [0, 1].

    Source: Levin, Peres & Wilmer, Markov Chains and Mixing Times (2009), Proposition 4.2.
    """
    names = sorted({*left, *right})
    return min(1.0, sum(abs(left.get(name, 0.0) - right.get(name, 0.0)) for name in names) / 2)


def kolmogorov_smirnov(left: Sequence[int], right: Sequence[int]) -> float:
    """Return the largest difference of the cumulative shares of two histograms over the same bins, in [0, 1].

    It is the two-sample statistic of the binned values. An empty histogram is at distance 1 from any other.

    Source: Kolmogorov (1933) and Smirnov (1939); the statistic D of `scipy.stats.ks_2samp`.
    """
    return float(np.max(np.abs(_cumulative(left) - _cumulative(right))))


def set_reference(profiles: Mapping[str, Any], task: str, present: Mapping[str, Any]) -> Document:
    """Return `profiles` (task to profile) with `present` as the task's reference, tasks in alphabetical order."""
    return dict(sorted({**profiles, task: dict(present)}.items()))


def _cumulative(counts: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the cumulative shares (B,) float64 of a histogram, all 0 if it is empty."""
    return np.cumsum(counts) / max(sum(counts), 1)
