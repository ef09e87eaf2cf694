"""The results of the study: the accuracy of each arm by the number of labels, and the tests of arm against arm."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, DataError
from pipeline.evaluate.bootstrap import percentile_interval
from pipeline.evaluate.estimate import Estimate, classify_difference
from pipeline.evaluate.metrics import Ints
from pipeline.evaluate.paired import adjust_p_values
from pipeline.settings.study import Cell, TransferParams
from pipeline.study.cell import CellAnswers
from pipeline.study.seed_means import Mean, crossed_macro_f1, crossed_mean, mean_macro_f1


class CellResult(NamedTuple):
    """What the study keeps of a cell: the document of its numbers, and its predictions."""

    document: Document
    answers: CellAnswers


_Cells = Mapping[Cell, CellResult]


class Point(NamedTuple):
    """The cells of one arm with so many labels, one a seed: `predicted` (S, N) class indices of N test rows."""

    documents: tuple[Document, ...]
    classes: int
    ids: list[str]
    actual: Ints
    predicted: npt.NDArray[np.int64]

    @property
    def right(self) -> npt.NDArray[np.float64]:
        """Whether each prediction is right, (S, N), 1.0 or 0.0."""
        return np.equal(self.predicted, self.actual).astype(np.float64)


_Points = Mapping[tuple[str, int | str], Point]  # of one task, by arm and labels


def join_cells(params: TransferParams, cells: _Cells) -> Document:
    """Return the results of the study, ready for strict JSON.

    Raises:
        DataError: Two cells of a task have different test rows.
    """
    return {
        "confidence": params.confidence,
        "seeds": list(params.seeds),
        "tasks": [_task_document(params, task, cells) for task in params.tasks],
    }


def curves_csv(results: Document) -> str:
    """Return a row for each task, arm and number of labels: means over seeds, and the interval of the accuracy."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("task", "arm", "labels", "accuracy", "low", "high", "macro_f1"))
    for task in results["tasks"]:
        for arm in task["arms"]:
            for point in arm["points"]:
                accuracy = point["accuracy"]
                ends = (accuracy["low"], accuracy["high"])
                writer.writerow(
                    (task["task"], arm["arm"], point["train"], accuracy["value"], *ends, point["macro_f1"]["value"])
                )
    return stream.getvalue()


def _task_document(params: TransferParams, task: str, cells: _Cells) -> Document:
    points: dict[tuple[str, int | str], Point] = {
        (arm, labels): _join_seeds([cells[Cell(task, arm, labels, seed)] for seed in params.seeds])
        for arm in params.arms
        for labels in params.labels
    }
    first, *others = points.values()
    for point in others:
        _require_same_rows(task, (first.ids, first.actual), (point.ids, point.actual))
    return {
        "task": task,
        "classes": first.classes,
        "rows": len(first.actual),
        "arms": [
            {
                "arm": arm,
                "title": title,
                "encoder": params.encoders.get(arm),
                "points": [_point_document(params, points[arm, labels]) for labels in params.labels],
            }
            for arm, title in params.arms.items()
        ],
        **_test_arms(params, points),
    }


def _join_seeds(cells: Sequence[CellResult]) -> Point:
    documents, answers = zip(*cells, strict=True)
    first, *others = answers
    for other in others:
        _require_same_rows(documents[0]["task"], (first.ids, first.actual), (other.ids, other.actual))
    return Point(documents, first.classes, first.ids, first.actual, np.stack([cell.predicted for cell in answers]))


def _require_same_rows(task: str, rows: tuple[list[str], Ints], others: tuple[list[str], Ints]) -> None:
    if rows[0] != others[0] or not np.array_equal(rows[1], others[1]):
        raise DataError(f"study: cells of {task} have different test rows. {REPRODUCE}")


def _point_document(params: TransferParams, point: Point) -> Document:
    """Return accuracy and macro-F1 over the seeds, and the mean cost of the trainings."""
    accuracy = crossed_mean(point.right, confidence=params.confidence)
    draws = crossed_macro_f1(
        point.actual,
        point.predicted,
        classes=point.classes,
        resamples=params.resamples,
        rng=np.random.default_rng(0),
    )
    value = mean_macro_f1(point.actual, point.predicted, classes=point.classes)
    f1 = percentile_interval(value, draws, confidence=params.confidence)
    low, high = (None if end is None else min(max(end, 0.0), 1.0) for end in (accuracy.low, accuracy.high))
    first = point.documents[0]
    return {
        "labels": first["labels"],
        "train": first["rows"]["train"],
        "validation": first["rows"]["validation"],
        "accuracy": {"value": accuracy.value, "low": low, "high": high},
        "by_seed": [float(share) for share in point.right.mean(axis=1)],
        "macro_f1": {"value": f1.value, "low": f1.low, "high": f1.high},
        "steps": round(float(np.mean([document["steps"] for document in point.documents]))),
        "tokens": round(float(np.mean([document["tokens"] for document in point.documents]))),
    }


def _test_arms(params: TransferParams, points: _Points) -> Document:
    """Return the planned comparisons at equal labels, and those of fewer labels with the most labels of the other arm.

    Each pair is a question of its own, and so are its two kinds of comparison: p values are adjusted over the labels of
    one pair and kind.
    """
    most = params.labels[-1]
    equal = [(labels, labels) for labels in params.labels]
    fewer = [(labels, most) for labels in params.labels[:-1]]
    return {
        "comparisons": [test for pair in params.comparisons for test in _compare(params, points, pair, equal)],
        "savings": [test for pair in params.comparisons for test in _compare(params, points, pair, fewer)],
    }


def _compare(
    params: TransferParams, points: _Points, pair: tuple[str, str], labels: Sequence[tuple[int | str, int | str]]
) -> list[Document]:
    """Return the tests of a pair of arms at several `labels`: of the first arm, of the second."""
    means = [
        crossed_mean(points[pair[0], own].right - points[pair[1], other].right, confidence=params.confidence)
        for own, other in labels
    ]
    adjusted = adjust_p_values([mean.p_value for mean in means])
    return [
        {"better": pair[0], "than": pair[1], "labels": own, "against": other, **_test_document(params, mean, p)}
        for (own, other), mean, p in zip(labels, means, adjusted, strict=True)
    ]


def _test_document(params: TransferParams, mean: Mean, adjusted: float) -> Document:
    difference = Estimate(mean.value, mean.low, mean.high)
    return {
        "difference": mean.value,
        "low": mean.low,
        "high": mean.high,
        "p_value": mean.p_value,
        "adjusted": adjusted,
        "outcome": classify_difference(difference, adjusted, alpha=1 - params.confidence),
    }
