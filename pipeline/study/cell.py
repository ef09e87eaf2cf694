"""A cell of the study, one model: the document of its numbers and the table of its predictions on the test split."""

from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.tables import class_indices, describe, labels_of
from pipeline.evaluate.metrics import Ints, accuracy, confusion_matrix, macro_f1
from pipeline.study.budget import Budget

_AGAIN = "Run `dvc repro` to create it again."


class Effort(NamedTuple):
    """The cost of a training, independent of any clock: its updates, and the tokens of all their batches."""

    steps: int
    tokens: int


NO_TRAINING = Effort(0, 0)


class Answers(NamedTuple):
    """The predictions of a cell: the ids of N test rows, and their actual and predicted class indices, (N,)."""

    classes: int
    ids: list[str]
    actual: Ints
    predicted: Ints


def cell_document(cell: Any, budget: Budget, predicted: Ints, effort: Effort) -> Document:
    """Return the numbers of a cell, ready for strict JSON; `predicted` (N,) are class indices of the test rows."""
    matrix = confusion_matrix(budget.test.classes, predicted, len(budget.class_names))
    return {
        "task": cell.task,
        "arm": cell.arm,
        "labels": cell.labels,
        "seed": cell.seed,
        "rows": {split: len(getattr(budget, split).ids) for split in ("train", "validation", "test")},
        "classes": len(budget.class_names),
        "accuracy": accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        **effort._asdict(),
    }


def predictions_table(task: str, budget: Budget, predicted: Ints) -> pa.Table:
    """Return the predictions of a cell as `evaluate` writes them, without probabilities; the test rows are by id."""
    columns = {"id": budget.test.ids, "label": budget.test.classes, "predicted": predicted}
    return describe(pa.table(columns), task=task, labels=budget.class_names)


def read_answers(table: pa.Table, document: Document) -> Answers:
    """Return the predictions of the cell of a document.

    Raises:
        DataError: The table is not such a table, or not of this cell.
    """
    where = "study: predictions of {task}-{arm}-{labels}-{seed}".format(**document)
    try:
        answers = Answers(
            len(labels_of(table)), table["id"].to_pylist(), class_indices(table), class_indices(table, "predicted")
        )
    except (KeyError, TypeError, ValueError) as error:  # no such column, no metadata, or metadata that is not JSON
        raise DataError(f"{where}: not a table of predictions: {error!r}. {_AGAIN}") from error
    wanted = document["classes"], document["rows"]["test"]
    if (answers.classes, len(answers.ids)) != wanted:
        raise DataError(
            f"{where}: {len(answers.ids)} rows of {answers.classes} classes, in the cell {wanted[1]} of {wanted[0]}. "
            f"{_AGAIN}"
        )
    return answers
