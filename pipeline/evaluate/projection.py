"""What the frozen encoder sees: the test examples on a plane, and the train examples that are nearest to a few."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.metrics import Floats, Ints, Vectors

DIGITS = 4  # of coordinates, whose last bits depend on the number of threads
SIMILAR_DIGITS = 6  # of similarities, for the same reason: so far apart, neighbours have an order


class Plane(NamedTuple):
    """N points (N, 2), centred; `explained` are the shares of the variance along x and y."""

    points: Floats
    explained: tuple[float, float]


class Neighbour(NamedTuple):
    """The position of a vector among all that were looked through, and its cosine similarity, [-1, 1]."""

    position: int
    similarity: float


def plane(vectors: Vectors) -> Plane:
    """Return N vectors, (N, H), on the two directions in which they differ most: their first principal components.

    Which way a direction points is free; here its largest weight, the first of equals, is positive. What does not
    vary at all lies at 0.

    Source: Pearson 1901; Jolliffe 2002, Principal Component Analysis, section 1.1.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64) if len(vectors) else vectors
    variances, directions = np.linalg.eigh(centred.T @ centred)
    total = float(variances.clip(min=0).sum())
    points, explained = np.zeros((len(vectors), 2)), [0.0, 0.0]
    for axis in range(min(2, len(variances)) if total else 0):
        direction = directions[:, -1 - axis]
        direction = direction * np.sign(direction[np.abs(direction).argmax()])
        points[:, axis] = centred @ direction
        explained[axis] = float(max(variances[-1 - axis], 0.0)) / total
    return Plane(points, (explained[0], explained[1]))


def nearest(queries: Vectors, parts: Iterable[tuple[Ints, Vectors]], *, most: int) -> list[list[Neighbour]]:
    """Return for each query, (Q, H), the `most` vectors of largest cosine similarity, of equals the first.

    `parts` are (positions, vectors) a piece of memory at a time. A vector of zeros is similar to nothing: 0.
    """
    best: list[list[Neighbour]] = [[] for _ in queries]
    wanted = _unit(queries)
    for positions, vectors in parts:
        similar = np.round(wanted @ _unit(vectors).T, SIMILAR_DIGITS)
        for row, values in enumerate(similar):
            order = np.argsort(-values, kind="stable")[:most]
            found = [Neighbour(int(positions[at]), float(values[at])) for at in order]
            best[row] = sorted([*best[row], *found], key=lambda one: (-one.similarity, one.position))[:most]
    return best


def drawn(ids: Sequence[str], most: int) -> Ints:
    """Return the positions of `most` ids at most, in order; which ones depends on each id alone, not on the others."""
    order = sorted(range(len(ids)), key=lambda row: _rank(ids[row]))[:most]
    return np.array(sorted(order), np.int64)


def queried(ids: Sequence[str], right: npt.NDArray[np.bool_], confidence: Floats, most: int) -> Ints:
    """Return the positions of the test examples whose neighbours are shown: up to half are the surest errors.

    The rest are right ones, by the same choice as `drawn`, or more errors where there are too few.
    """
    wrong = [int(row) for row in np.argsort(-confidence, kind="stable") if not right[row]]
    others = sorted(np.flatnonzero(right).tolist(), key=lambda row: _rank(ids[row]))
    half = max((most + 1) // 2, most - len(others))
    return np.array([*wrong[:half], *others[: most - len(wrong[:half])]], np.int64)


class Seen(NamedTuple):
    """The N test examples: their texts, vectors (N, H), and class indices (N,), both the true and the predicted."""

    ids: Sequence[str]
    texts: Sequence[str]
    vectors: Vectors
    actual: Ints
    predicted: Ints


def projected(
    test: Seen,
    labels: Sequence[str],
    *,
    points: int,
    queries: Ints,
    near: Sequence[Sequence[Neighbour]],
    told: Callable[[int], tuple[str, str]],
) -> dict[str, Any]:
    """Return all this for strict JSON: `points` points at most, scaled so that all lie within [-1, 1].

    `near` are the neighbours of the test examples at the positions `queries`; `told` gives the text and the class of
    the example at a neighbour's position.
    """
    found, rows = plane(test.vectors), drawn(test.ids, points)
    largest = float(np.abs(found.points).max(initial=0.0)) or 1.0
    neighbours = []
    for row, ones in zip(queries.tolist(), near, strict=True):
        nearest_ones = [(*told(one.position), one.similarity) for one in ones]
        neighbours.append(
            {
                "text": test.texts[row],
                "label": labels[test.actual[row]],
                "predicted": labels[test.predicted[row]],
                "nearest": [dict(zip(("text", "label", "similarity"), one, strict=True)) for one in nearest_ones],
            }
        )
    return {
        "rows": len(found.points),
        "width": test.vectors.shape[1],
        "explained": [round(share, DIGITS) for share in found.explained],
        "points": [
            {
                "x": round(float(found.points[row, 0]) / largest, DIGITS) + 0.0,
                "y": round(float(found.points[row, 1]) / largest, DIGITS) + 0.0,
                "actual": int(test.actual[row]),
                "predicted": int(test.predicted[row]),
            }
            for row in rows
        ],
        "neighbours": neighbours,
    }


def of_rows(parts: Iterable[tuple[npt.NDArray[np.bool_], Vectors]]) -> Iterator[tuple[Ints, Vectors]]:
    """Yield (positions, vectors) of the rows that are wanted out of consecutive pieces of a table."""
    start = 0
    for wanted, vectors in parts:
        yield start + np.flatnonzero(wanted), vectors[wanted]
        start += len(wanted)


def _unit(vectors: Vectors) -> Floats:
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / np.where(lengths > 0, lengths, 1.0)


def _rank(identity: str) -> bytes:
    return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).digest()
