import csv
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.tables import describe, labels_of, task_of
from pipeline.evaluate.align import EvaluationRows
from pipeline.evaluate.predictions import confusion_csv, tabulate_predictions


def table(actual: list[str], predicted: list[str]) -> pa.Table:
    """Predictions of classes that have these names, each name a class of its own."""
    names = actual + predicted
    columns = {"label": range(len(actual)), "predicted": range(len(actual), len(names))}
    return describe(pa.table(columns), task="toy", labels=tuple(names))


def test_the_table_has_a_row_for_each_test_row() -> None:
    rows = EvaluationRows(["x", "y"], ["a", "b"], np.array([1, 0]), {})
    like = describe(pa.table({"id": ["z"]}), task="toy", labels=("ham", "spam"))
    found = tabulate_predictions(rows, np.array([[0.5, 0.5], [0.25, 0.75]]), like=like)
    assert (task_of(found), labels_of(found)) == ("toy", ("ham", "spam"))
    assert found.schema.types == [pa.string(), pa.int64(), pa.int64(), pa.list_(pa.float64())]
    assert found.to_pydict() == {
        "id": ["x", "y"],
        "label": [1, 0],
        "predicted": [0, 1],  # of equals the first
        "probabilities": [[0.5, 0.5], [0.25, 0.75]],
    }


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6))
def test_confusion_csv_reads_back_without_formulas(names: list[str]) -> None:
    text = confusion_csv(table(names, names[::-1]))
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == ["actual", "predicted"]
    assert len(rows) == len(names)
    for cells, wanted in zip(rows, zip(names, names[::-1], strict=True), strict=True):
        for cell, name in zip(cells, wanted, strict=True):
            assert cell in (name, f"'{name}")
            assert cell.lstrip()[:1] not in {"=", "+", "-", "@", "＝", "＋", "－", "＠"}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "\tplain"])
def test_formulas_are_made_inert(name: str) -> None:
    text = confusion_csv(table([name, "plain"], ["a-b", 'quo"te']))
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == [[f"'{name}", "a-b"], ["plain", 'quo"te']]
