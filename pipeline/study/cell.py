"""One model of the study: what it may learn from, and the document of how it did on the test split."""

from typing import Any, NamedTuple

import numpy as np

from pipeline.core.errors import DataError
from pipeline.evaluate.metrics import Ints, accuracy, confusion_matrix, macro_f1
from pipeline.study.budget import Budget


class Effort(NamedTuple):
    """What a training took, in numbers that no clock knows: its updates, and the tokens that went through it."""

    steps: int
    tokens: int


NO_TRAINING = Effort(0, 0)


_AGAIN = "Run `dvc repro` to make it again."


def document(cell: Any, given: Budget, predicted: Ints, effort: Effort) -> dict[str, Any]:
    """Return what is kept of a cell, ready for strict JSON.

    `actual` and `predicted` are the class indices of the test rows in the order of their ids, as words of one line.
    """
    matrix = confusion_matrix(given.test.classes, predicted, len(given.labels))
    return {
        "task": cell.task,
        "arm": cell.arm,
        "labels": cell.labels,
        "seed": cell.seed,
        "rows": {name: len(getattr(given, name).ids) for name in ("train", "validation", "test")},
        "classes": len(given.labels),
        "accuracy": accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        **effort._asdict(),
        "actual": " ".join(map(str, given.test.classes)),
        "predicted": " ".join(map(str, predicted)),
    }


def indices(words: str, *, classes: int, rows: int) -> Ints:
    """Return the class indices of a document's `actual` or `predicted`, (rows,).

    Raises:
        DataError: It is something else.
    """
    try:
        found = np.array([int(word) for word in words.split(" ")], np.int64)
    except ValueError as error:
        raise DataError(f"a cell's predictions are no class indices: {error}. {_AGAIN}") from error
    if len(found) != rows or not ((found >= 0) & (found < classes)).all():
        raise DataError(f"a cell has {len(found)} predictions for {rows} rows and {classes} classes. {_AGAIN}")
    return found
