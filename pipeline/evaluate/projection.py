"""The projection of the frozen encoder's vectors: the test examples on a plane, and train neighbours of a few."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.document import Document
from pipeline.core.tables import class_indices, labels_of
from pipeline.evaluate.align import align, to_matrix, to_vectors
from pipeline.evaluate.metrics import Floats, Ints, Vectors
from pipeline.examples.pairs import whole_texts
from pipeline.linear.rows import rank_ids
from pipeline.settings.shared.evaluation import ProjectionParams

_COORDINATE_DIGITS = 4  # the last bits of a coordinate depend on the number of threads
_SIMILARITY_DIGITS = 6  # for the same reason; neighbours closer than that count as equal and keep their order


class Plane(NamedTuple):
    """N points (N, 2), centred; `explained` are the shares of the variance along x and y."""

    points: Floats
    explained: tuple[float, float]


class Neighbour(NamedTuple):
    """The position of a vector among all that were searched, and its cosine similarity, [-1, 1]."""

    position: int
    similarity: float


class EmbeddedExamples(NamedTuple):
    """The N test examples: their texts, vectors (N, H), and class indices (N,), both the true and the predicted."""

    ids: Sequence[str]
    texts: Sequence[str]
    vectors: Vectors
    actual: Ints
    predicted: Ints


def project_examples(
    examples: pa.Table, features: pa.Table, predictions: pa.Table, params: ProjectionParams
) -> Document:
    """Return the projection of the test examples with the train neighbours of a few, for strict JSON.

    `features` holds the vectors of the `examples`; `predictions` are those of the N test rows, in their order.

    Raises:
        DataError: The features are not those of the examples.
    """
    labels = labels_of(examples)
    aligned = align(features, examples["id"].to_pylist(), like=examples, what="features", split=None)
    in_test = pc.equal(examples["split"], "test")
    vectors = to_vectors(aligned.filter(in_test)["features"])
    probabilities = to_matrix(predictions["probabilities"], classes=len(labels), what="predictions")
    actual, predicted = class_indices(predictions), class_indices(predictions, "predicted")
    texts = whole_texts(examples.filter(in_test))
    test = EmbeddedExamples(predictions["id"].to_pylist(), texts, vectors, actual, predicted)
    queries = choose_queries(test.ids, test.actual == test.predicted, probabilities.max(axis=1), params.queries)
    parts = ((pc.equal(part["split"], "train"), to_vectors(part["features"])) for part in aligned.to_batches())
    train = select_vectors((wanted.to_numpy(zero_copy_only=False), part) for wanted, part in parts)
    return describe_projection(
        test,
        labels,
        points=params.points,
        queries=queries,
        neighbours=find_neighbours(vectors[queries], train, most=params.neighbours),
        text_and_label=lambda row: (whole_texts(examples.slice(row, 1))[0], labels[examples["label"][row].as_py()]),
    )


def project_nothing(_examples: pa.Table, _features: pa.Table, _predictions: pa.Table, _params: Any) -> Document:
    """Return the projection of a kind whose answers are parts of a text, of which one vector says little."""
    return {"rows": 0, "width": 0, "explained": [0.0, 0.0], "points": [], "neighbours": []}


def measure_width(_examples: pa.Table, features: pa.Table, _predictions: pa.Table, _params: Any) -> Document:
    """Return the width of the vectors alone, for a kind whose points have no one colour to be drawn in."""
    return {"width": features.schema.field("features").type.list_size}


def project(vectors: Vectors) -> Plane:
    """Return N vectors, (N, H), on the two directions in which they differ most: their first principal components.

    The sign of a direction is free; here its largest weight, the first of equals, is positive. A direction without
    any variance has coordinates 0.

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


def find_neighbours(queries: Vectors, parts: Iterable[tuple[Ints, Vectors]], *, most: int) -> list[list[Neighbour]]:
    """Return for each query, (Q, H), the `most` vectors of largest cosine similarity, of equals the first.

    `parts` are (positions, vectors), as many at a time as fit in memory. The similarity to a vector of zeros is 0.
    """
    best: list[list[Neighbour]] = [[] for _ in queries]
    units = _to_units(queries)
    for positions, vectors in parts:
        similarities = np.round(units @ _to_units(vectors).T, _SIMILARITY_DIGITS)
        for row, values in enumerate(similarities):
            order = np.argsort(-values, kind="stable")[:most]
            candidates = [*best[row], *(Neighbour(int(positions[at]), float(values[at])) for at in order)]
            best[row] = sorted(candidates, key=lambda near: (-near.similarity, near.position))[:most]
    return best


def sample_rows(ids: Sequence[str], most: int) -> Ints:
    """Return the positions of at most `most` ids, in order; the choice depends on each id alone, not on the others."""
    return np.sort(np.argsort(rank_ids(ids), kind="stable")[:most])


def choose_queries(ids: Sequence[str], right: npt.NDArray[np.bool_], confidence: Floats, most: int) -> Ints:
    """Return the positions of the test examples whose neighbours are shown: up to half are the surest errors.

    The rest are right ones, chosen as by `sample_rows`, or more errors if there are too few.
    """
    wrong = [int(row) for row in np.argsort(-confidence, kind="stable") if not right[row]]
    ranks = rank_ids(ids)
    others = sorted(np.flatnonzero(right).tolist(), key=lambda row: ranks[row])
    half = max((most + 1) // 2, most - len(others))
    return np.array([*wrong[:half], *others[: most - len(wrong[:half])]], np.int64)


def describe_projection(
    test: EmbeddedExamples,
    labels: Sequence[str],
    *,
    points: int,
    queries: Ints,
    neighbours: Sequence[Sequence[Neighbour]],
    text_and_label: Callable[[int], tuple[str, str]],
) -> Document:
    """Return the projection for strict JSON: at most `points` points, scaled so that all lie within [-1, 1].

    `neighbours` are those of the test examples at the positions `queries`; `text_and_label` returns the text and the
    class of the example at a neighbour's position.
    """
    plane, rows = project(test.vectors), sample_rows(test.ids, points)
    largest = float(np.abs(plane.points).max(initial=0.0)) or 1.0
    return {
        "rows": len(plane.points),
        "width": test.vectors.shape[1],
        "explained": [round(share, _COORDINATE_DIGITS) for share in plane.explained],
        "points": [
            {
                "x": round(float(plane.points[row, 0]) / largest, _COORDINATE_DIGITS) + 0.0,
                "y": round(float(plane.points[row, 1]) / largest, _COORDINATE_DIGITS) + 0.0,
                "actual": int(test.actual[row]),
                "predicted": int(test.predicted[row]),
            }
            for row in rows
        ],
        "neighbours": [
            {
                "text": test.texts[row],
                "label": labels[test.actual[row]],
                "predicted": labels[test.predicted[row]],
                "nearest": [_describe_neighbour(near, *text_and_label(near.position)) for near in nearest],
            }
            for row, nearest in zip(queries.tolist(), neighbours, strict=True)
        ],
    }


def select_vectors(parts: Iterable[tuple[npt.NDArray[np.bool_], Vectors]]) -> Iterator[tuple[Ints, Vectors]]:
    """Yield the (positions, vectors) of the wanted rows; `parts` are (wanted, vectors) of consecutive pieces."""
    start = 0
    for wanted, vectors in parts:
        yield start + np.flatnonzero(wanted), vectors[wanted]
        start += len(wanted)


def _describe_neighbour(near: Neighbour, text: str, label: str) -> Document:
    return {"text": text, "label": label, "similarity": near.similarity}


def _to_units(vectors: Vectors) -> Floats:
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / np.where(lengths > 0, lengths, 1.0)
