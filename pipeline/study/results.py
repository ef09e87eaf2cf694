"""The cells of the study joined: what each arm reaches with so many labels, and which arm is better than which."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.evaluate.bootstrap import estimate
from pipeline.evaluate.metrics import Ints
from pipeline.evaluate.outcome import Measure, outcome
from pipeline.evaluate.paired import holm
from pipeline.settings.study import TransferParams
from pipeline.study.cell import indices
from pipeline.study.seed_means import Mean, crossed_macro_f1, crossed_mean, mean_macro_f1

_DIFFERENT = "the cells of {} have different test rows. Run `dvc repro` to make them again."
Cells = Mapping[tuple[str, str, int | str, int], Document]


class Answers(NamedTuple):
    """What one arm answered with so many labels: `predicted` (S, N) class indices by seed and test row."""

    classes: int
    actual: Ints
    predicted: npt.NDArray[np.int64]

    @property
    def right(self) -> npt.NDArray[np.float64]:
        """Whether each answer is right, (S, N), 1.0 or 0.0."""
        return np.equal(self.predicted, self.actual).astype(np.float64)


def joined(params: TransferParams, cells: Cells) -> Document:
    """Return all that the study found, ready for strict JSON; `cells` are by (task, arm, labels, seed).

    Raises:
        DataError: Two cells of a task have different test rows.
    """
    return {
        "confidence": params.confidence,
        "seeds": list(params.seeds),
        "tasks": [_task(params, task, cells) for task in params.tasks],
    }


def curves_csv(document: Document) -> str:
    """Return a line a task, arm and number of labels, for plots: means over seeds and the interval of accuracy."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("task", "arm", "labels", "accuracy", "low", "high", "macro_f1"))
    for task in document["tasks"]:
        for arm in task["arms"]:
            for point in arm["points"]:
                accuracy = point["accuracy"]
                ends = (accuracy["low"], accuracy["high"])
                writer.writerow(
                    (task["task"], arm["arm"], point["train"], accuracy["value"], *ends, point["macro_f1"]["value"])
                )
    return stream.getvalue()


def _task(params: TransferParams, task: str, cells: Cells) -> Document:
    answers: dict[tuple[str, int | str], Answers] = {
        (arm, labels): _answers([cells[task, arm, labels, seed] for seed in params.seeds])
        for arm in params.arms
        for labels in params.labels
    }
    if len({found.actual.tobytes() for found in answers.values()}) > 1:
        raise DataError(_DIFFERENT.format(task))
    first = next(iter(answers.values()))
    return {
        "task": task,
        "classes": first.classes,
        "rows": len(first.actual),
        "arms": [
            {
                "arm": arm,
                "title": title,
                "encoder": params.encoders.get(arm),
                "points": [
                    _point(params, [cells[task, arm, labels, seed] for seed in params.seeds], answers[arm, labels])
                    for labels in params.labels
                ],
            }
            for arm, title in params.arms.items()
        ],
        **_tests(params, answers),
    }


def _answers(cells: Sequence[Document]) -> Answers:
    """Return the answers of an arm's cells, one a seed."""
    classes, rows = cells[0]["classes"], cells[0]["rows"]["test"]
    actual, *others = [indices(cell["actual"], classes=classes, rows=rows) for cell in cells]
    if any((actual != other).any() for other in others):
        raise DataError(_DIFFERENT.format(cells[0]["task"]))
    predicted = np.stack([indices(cell["predicted"], classes=classes, rows=rows) for cell in cells])
    return Answers(classes, actual, predicted)


def _point(params: TransferParams, cells: Sequence[Document], found: Answers) -> Document:
    """Return a point of a curve: accuracy and macro-F1 over the seeds, and what the training took."""
    accuracy = crossed_mean(found.right, confidence=params.confidence)
    draws = crossed_macro_f1(
        found.actual,
        found.predicted,
        classes=found.classes,
        resamples=params.resamples,
        rng=np.random.default_rng(0),
    )
    f1 = estimate(
        mean_macro_f1(found.actual, found.predicted, classes=found.classes), draws, confidence=params.confidence
    )
    low, high = (None if end is None else min(max(end, 0.0), 1.0) for end in (accuracy.low, accuracy.high))
    return {
        "labels": cells[0]["labels"],
        "train": cells[0]["rows"]["train"],
        "validation": cells[0]["rows"]["validation"],
        "accuracy": {"value": accuracy.value, "low": low, "high": high},
        "by_seed": [float(one) for one in found.right.mean(axis=1)],
        "macro_f1": {"value": f1.value, "low": f1.low, "high": f1.high},
        "steps": round(float(np.mean([cell["steps"] for cell in cells]))),
        "tokens": round(float(np.mean([cell["tokens"] for cell in cells]))),
    }


def _tests(params: TransferParams, answers: Mapping[tuple[str, int | str], Answers]) -> Document:
    """Return the planned comparisons at equal labels, and those of fewer labels against the other arm's most.

    Each pair is a question of its own, and so are its two kinds: p values are adjusted over the labels within them.
    """
    most = params.labels[-1]
    equal = [(labels, labels) for labels in params.labels]
    fewer = [(labels, most) for labels in params.labels[:-1]]
    return {
        "comparisons": [one for pair in params.comparisons for one in _family(params, answers, pair, equal)],
        "savings": [one for pair in params.comparisons for one in _family(params, answers, pair, fewer)],
    }


def _family(
    params: TransferParams,
    answers: Mapping[tuple[str, int | str], Answers],
    pair: tuple[str, str],
    wanted: Sequence[tuple[int | str, int | str]],
) -> list[Document]:
    """Return a pair of arms at several numbers of labels, `(of the first, of the second)`."""
    means = [
        crossed_mean(answers[pair[0], own].right - answers[pair[1], other].right, confidence=params.confidence)
        for own, other in wanted
    ]
    adjusted = holm([found.p_value for found in means])
    return [
        {"better": pair[0], "than": pair[1], "labels": own, "against": other, **_difference(params, found, p)}
        for (own, other), found, p in zip(wanted, means, adjusted, strict=True)
    ]


def _difference(params: TransferParams, found: Mean, adjusted: float) -> Document:
    ends = Measure(found.value, found.low, found.high)
    return {
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "adjusted": adjusted,
        "outcome": outcome(ends, adjusted, alpha=1 - params.confidence),
    }
