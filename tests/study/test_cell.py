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
    answers = read_answers(CELL, DOCUMENT, TABLE)
    assert (answers.classes, answers.ids) == (2, BUDGET.test.ids)
    assert answers.actual.tolist() == BUDGET.test.classes.tolist()
    assert answers.predicted.tolist() == PREDICTED.tolist()


def replace(column: str, values: list) -> pa.Table:
    return TABLE.set_column(TABLE.column_names.index(column), column, pa.array(values))


@pytest.mark.parametrize(
    ("table", "fact"),
    [
        (TABLE.slice(1), r"test rows 14, its document 15"),
        (replace("predicted", [2, *[0] * 14]), "predicted"),
        (replace("predicted", [-1, *[0] * 14]), "predicted"),
        (replace("label", [None, *[0] * 14]), "label"),
        (replace("label", ["no"] * 15), "label"),
        (TABLE.drop_columns(["predicted"]), "predicted"),
        (TABLE.replace_schema_metadata(None), "TypeError"),
        (TABLE.replace_schema_metadata({"task": "t", "labels": '["a", "b", "c"]'}), "classes 3, its document 2"),
        (TABLE.replace_schema_metadata({"task": "u", "labels": '["no", "yes"]'}), "task u, its document t"),
        (replace("predicted", list(1 - PREDICTED)), r"accuracy 0\.53\d*, its document 0\.46"),
    ],
)
def test_damaged_predictions_are_refused(table, fact):
    with pytest.raises(DataError, match=rf"t-a-10-0[\s\S]*{fact}[\s\S]*dvc repro"):
        read_answers(CELL, DOCUMENT, table)


@pytest.mark.parametrize("key", DOCUMENT)
def test_a_document_without_a_part_is_refused(key):
    document = {name: value for name, value in DOCUMENT.items() if name != key}
    with pytest.raises(DataError, match=rf"t-a-10-0.*{key}.*dvc repro"):
        read_answers(CELL, document, TABLE)


@pytest.mark.parametrize("document", [{}, [], None, DOCUMENT | {"rows": {"test": 15}}, DOCUMENT | {"rows": 15}])
def test_a_document_of_another_shape_is_refused(document):
    with pytest.raises(DataError, match=r"t-a-10-0.*dvc repro"):
        read_answers(CELL, document, TABLE)


@pytest.mark.parametrize(
    ("key", "value"), [("accuracy", 0.9), ("macro_f1", 0.9), ("seed", 1), ("arm", "b"), ("labels", "all")]
)
def test_a_document_that_contradicts_its_predictions_is_refused(key, value):
    with pytest.raises(DataError, match=rf"t-a-10-0.*{value}.*dvc repro"):
        read_answers(CELL, DOCUMENT | {key: value}, TABLE)
