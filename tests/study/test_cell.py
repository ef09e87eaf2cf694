"""The document and the predictions of a cell."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, f1_score

from pipeline.core.errors import DataError
from pipeline.settings.study import Cell
from pipeline.study.budget import draw_budget
from pipeline.study.cell import NO_TRAINING, Effort, cell_document, predictions_table, read_answers
from tests.given.studies import make_examples

CELL = Cell(task="t", arm="a", labels=10, seed=0)
BUDGET = draw_budget(make_examples(), labels=10, seed=0)
PREDICTED = np.arange(15) % 2
DOCUMENT = cell_document(CELL, BUDGET, PREDICTED, Effort(7, 900))
TABLE = predictions_table("t", BUDGET, PREDICTED)


def test_the_document_holds_scikit_learns_metrics_and_the_effort():
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
    assert DOCUMENT["accuracy"] == pytest.approx(accuracy_score(BUDGET.test.classes, PREDICTED))
    assert DOCUMENT["macro_f1"] == pytest.approx(f1_score(BUDGET.test.classes, PREDICTED, average="macro"))
    assert (DOCUMENT["task"], DOCUMENT["arm"], DOCUMENT["labels"], DOCUMENT["seed"]) == CELL
    assert DOCUMENT["rows"] == {"train": 10, "validation": 10, "test": 15}
    assert DOCUMENT["classes"] == 2
    assert (DOCUMENT["steps"], DOCUMENT["tokens"]) == (7, 900)
    assert cell_document(CELL, BUDGET, PREDICTED, NO_TRAINING)["steps"] == 0


def test_the_table_is_one_of_predictions_and_is_read_back():
    assert dict(zip(TABLE.schema.names, map(str, TABLE.schema.types), strict=True)) == {
        "id": "string", "label": "int64", "predicted": "int64",
    }  # fmt: skip
    assert TABLE.schema.metadata == {b"task": b"t", b"labels": b'["no", "yes"]'}
    answers = read_answers(TABLE, DOCUMENT)
    assert (answers.classes, answers.ids) == (2, BUDGET.test.ids)
    assert answers.actual.tolist() == BUDGET.test.classes.tolist()
    assert answers.predicted.tolist() == PREDICTED.tolist()


def replace(column: str, values: list) -> pa.Table:
    return TABLE.set_column(TABLE.column_names.index(column), column, pa.array(values))


@pytest.mark.parametrize(
    ("table", "fact"),
    [
        (TABLE.slice(1), r"14 rows of 2 classes, in the cell 15 of 2"),
        (replace("predicted", [2, *[0] * 14]), "predicted"),
        (replace("predicted", [-1, *[0] * 14]), "predicted"),
        (replace("label", [None, *[0] * 14]), "label"),
        (replace("label", ["no"] * 15), "label"),
        (TABLE.drop_columns(["predicted"]), r"t-a-10-0.*predicted"),
        (TABLE.replace_schema_metadata(None), "t-a-10-0"),
        (TABLE.replace_schema_metadata({"task": "t", "labels": '["a", "b", "c"]'}), "15 rows of 3 classes"),
    ],
)
def test_damaged_predictions_are_refused(table, fact):
    with pytest.raises(DataError, match=rf"{fact}[\s\S]*dvc repro"):
        read_answers(table, DOCUMENT)
