"""A cell of the study, one model: the document of its numbers and the table of its predictions on the test split."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, DataError
from pipeline.core.tables import class_indices, describe, labels_of, task_of
from pipeline.evaluate.metrics import Ints, accuracy, confusion_matrix, macro_f1
from pipeline.settings.fields import SPLITS
from pipeline.settings.study import Cell
from pipeline.study.budget import Budget


class Effort(NamedTuple):
    """The cost of a training, independent of any clock: its updates, and the tokens of all their batches."""

    steps: int
    tokens: int


NO_TRAINING = Effort(0, 0)


class CellAnswers(NamedTuple):
    """The predictions of a cell: the number of classes, and N test rows: ids, actual and predicted indices, (N,)."""

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
        "rows": {split: len(getattr(budget, split).ids) for split in SPLITS},
        "classes": len(budget.class_names),
        "accuracy": accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        **effort._asdict(),
    }


def predictions_table(task: str, budget: Budget, predicted: Ints) -> pa.Table:
    """Return the predictions of a cell as `evaluate` writes them, without probabilities; the test rows are by id."""
    columns = {"id": budget.test.ids, "label": budget.test.classes, "predicted": predicted}
    return describe(pa.table(columns), task=task, labels=budget.class_names)


def read_answers(cell: Cell, document: Document, table: pa.Table) -> CellAnswers:
    """Return the predictions of a cell, proven to be those of its document.

    Raises:
        DataError: The document or the table lacks a part, is of another cell, or they contradict each other.
    """
    where = f"study: cell {'-'.join(map(str, cell))}"
    try:
        answers = CellAnswers(
            len(labels_of(table)), table["id"].to_pylist(), class_indices(table), class_indices(table, "predicted")
        )
        facts = list(_pair_facts(cell, document, task_of(table), answers))
    except (DataError, AttributeError, KeyError, TypeError, ValueError) as error:  # a part is missing, or of no use
        raise DataError(f"{where}: not a document and a table of predictions, {error!r}. {REPRODUCE}") from error
    for name, present, stated in facts:
        if present != stated:
            raise DataError(f"{where}: its predictions have {name} {present}, its document {stated}. {REPRODUCE}")
    return answers


def _pair_facts(cell: Cell, document: Document, task: str, answers: CellAnswers) -> Iterator[tuple[str, Any, Any]]:
    """Yield what document and predictions both say: the name of the fact, as the predictions have it, as stated.

    Raises:
        KeyError: The document lacks a key.
    """
    missing = {*Effort._fields} - document.keys() | {*SPLITS} - document["rows"].keys()
    if missing:
        raise KeyError(*sorted(missing))
    matrix = confusion_matrix(answers.actual, answers.predicted, answers.classes)
    yield "cell", cell, Cell(*(document[name] for name in Cell._fields))
    yield "task", task, document["task"]
    yield "classes", answers.classes, document["classes"]
    yield "test rows", len(answers.ids), document["rows"]["test"]
    yield "accuracy", accuracy(matrix), document["accuracy"]
    yield "macro-F1", macro_f1(matrix), document["macro_f1"]
