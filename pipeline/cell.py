"""One model of the study: what it may learn from, and the document of how it did on the test split."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.alignment import class_indices, of_split
from pipeline.arms import Labels
from pipeline.errors import DataError
from pipeline.metrics import Ints, accuracy, confusion_matrix, macro_f1
from pipeline.subsets import subset
from pipeline.tables import labels_of


class Texts(NamedTuple):
    """N examples: their ids, their texts and their class indices, (N,)."""

    ids: list[str]
    texts: list[str]
    classes: Ints


class Budget(NamedTuple):
    """What a cell may see of a task: `labels` train rows, at most as many validation rows, and the whole test split."""

    labels: tuple[str, ...]
    train: Texts
    validation: Texts
    test: Texts


class Effort(NamedTuple):
    """What a training took, in numbers that no clock knows: its updates, and the tokens that went through it."""

    steps: int
    tokens: int


NO_TRAINING = Effort(0, 0)
_AGAIN = "Run `dvc repro` to make it again."


def budget(examples: pa.Table, *, labels: Labels, seed: int) -> Budget:
    """Return what a cell with so many labels may see.

    Validation chooses among checkpoints and strengths; who has few labels has few of these too, so it is cut to the
    size of the train subset, nested and stratified like it.

    Raises:
        DataError: A split has no row.
        UsageError: The train split has fewer rows than `labels`.

    Source: Perez et al. (2021), True Few-Shot Learning, on what a large validation split hides; Gao et al. (2021),
    LM-BFF, section 3, on one as large as the train subset.
    """
    train, validation = (_texts(of_split(examples, split)) for split in ("train", "validation"))
    wanted = len(train.ids) if labels == "all" else labels
    seen = min(wanted if labels != "all" else len(validation.ids), len(validation.ids))
    return Budget(
        labels_of(examples),
        _taken(train, subset(train.ids, train.classes, labels=wanted, seed=seed)),
        _taken(validation, subset(validation.ids, validation.classes, labels=seen, seed=seed)),
        _in_order(_texts(of_split(examples, "test"))),
    )


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


def _texts(rows: pa.Table) -> Texts:
    return Texts(rows["id"].to_pylist(), rows["text"].to_pylist(), class_indices(rows))


def _taken(rows: Texts, places: Ints | Sequence[int]) -> Texts:
    return Texts([rows.ids[at] for at in places], [rows.texts[at] for at in places], rows.classes[places])


def _in_order(rows: Texts) -> Texts:
    return _taken(rows, np.array(sorted(range(len(rows.ids)), key=rows.ids.__getitem__), np.int64))
