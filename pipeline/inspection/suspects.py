"""Suspects: examples with a probably wrong label, with a near duplicate of another label, or unlike all others."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from cleanlab.filter import find_label_issues
from sklearn.neighbors import NearestNeighbors

from pipeline.evaluate.metrics import Floats, Ints, Vectors

Reason: TypeAlias = Literal["label", "duplicate", "outlier"]
REASONS: tuple[Reason, ...] = ("label", "duplicate", "outlier")
# Distances closer than that count as equal: the last bits depend on the processor.
_DISTANCE_DIGITS = 5


class Suspect(NamedTuple):
    """A suspicious example at position `row`.

    `confidence` is the out-of-sample probability of its label, `suggested` the most probable class (None if that is its
    label), `rivals` are the positions of its near duplicates with another label.
    """

    row: int
    reasons: tuple[Reason, ...]
    confidence: float
    suggested: int | None
    rivals: tuple[int, ...]


def rank_suspects(
    classes: Ints, probabilities: Floats, pairs: Sequence[tuple[int, int]], distances: Floats, *, fence: float
) -> list[Suspect]:
    """Return the suspects, the label of least probability first, of equals the first.

    `classes` (N,) are class indices, `probabilities` (N, C) out-of-sample ones, `pairs` positions of near duplicates,
    `distances` (N,) the mean distances to the nearest others.
    """
    mislabelled = set(find_mislabelled(classes, probabilities).tolist())
    rivals: dict[int, set[int]] = {}
    for left, right in pairs:
        if classes[left] != classes[right]:
            rivals.setdefault(left, set()).add(right)
            rivals.setdefault(right, set()).add(left)
    outliers = set(find_outliers(distances, fence=fence).tolist())
    confidence, likeliest = probabilities[np.arange(len(classes)), classes], probabilities.argmax(axis=1)
    members: dict[Reason, set[int]] = {"label": mislabelled, "duplicate": set(rivals), "outlier": outliers}
    suspects = [
        Suspect(
            row=row,
            reasons=tuple(reason for reason, rows in members.items() if row in rows),
            confidence=float(confidence[row]),
            suggested=None if likeliest[row] == classes[row] else int(likeliest[row]),
            rivals=tuple(sorted(rivals.get(row, ()))),
        )
        for row in sorted(set().union(*members.values()))
    ]
    return sorted(suspects, key=lambda suspect: suspect.confidence)


def find_mislabelled(classes: Ints, probabilities: Floats) -> Ints:
    """Return the positions, rising, of labels that are probably wrong, by confident learning.

    The confident joint of labels and predictions estimates how many labels are wrong; as many labels of least
    out-of-sample probability are reported. Classes without an example play no part.

    Source: Northcutt, Jiang and Chuang (2021), Confident learning, arXiv 1911.00068, sections 3 and 4.
    """
    present, relabelled = np.unique(classes, return_inverse=True)
    if len(present) < 2:
        return np.empty(0, np.int64)
    shares = probabilities[:, present]
    totals = shares.sum(axis=1, keepdims=True)
    shares = np.divide(shares, totals, out=np.full_like(shares, 1 / len(present)), where=totals > 0)
    wrong = find_label_issues(relabelled, shares, filter_by="low_self_confidence", n_jobs=1)
    return np.flatnonzero(wrong)


def measure_distances(vectors: Vectors, *, neighbours: int, reference: Ints) -> Floats:
    """Return the mean cosine distance of each of N vectors, (N, H), to its nearest others among `reference`, (N,).

    `reference` are positions, at least two; time and memory grow with N x len(reference), so a sample bounds both.
    """
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    searched = NearestNeighbors(n_neighbors=min(neighbours + 1, len(reference)), algorithm="brute").fit(
        units[reference]
    )
    lengths, positions = searched.kneighbors(units)
    itself = reference[positions] == np.arange(len(vectors))[:, None]
    itself[~itself.any(axis=1), -1] = True  # not in the sample, so that the farthest is one too many
    distances = np.where(itself, 0.0, lengths.astype(np.float64) ** 2 / 2)  # of unit vectors: 1 - cosine
    means: Floats = distances.sum(axis=1) / max(1, lengths.shape[1] - 1)
    return means.round(_DISTANCE_DIGITS)


def find_outliers(distances: Floats, *, fence: float) -> Ints:
    """Return the positions, rising, of distances more than `fence` interquartile ranges above the upper quartile.

    Source: Tukey (1977), Exploratory Data Analysis, section 2C: beyond 3 such ranges a value is "far out".
    """
    lower, upper = np.quantile(distances, [0.25, 0.75])
    return np.flatnonzero(distances > upper + fence * (upper - lower))
