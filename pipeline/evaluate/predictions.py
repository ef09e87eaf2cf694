"""Predictions of the test rows: the table that later stages read, and the CSV behind the confusion plot."""

import csv
import io

import pyarrow as pa

from pipeline.core.format import visible
from pipeline.core.tables import class_names, describe, labels_of, task_of
from pipeline.evaluate.align import EvaluationRows
from pipeline.evaluate.metrics import Floats

# DVC writes a CSV into a script of its page as it is, and a browser ends a script at `</script>`.
_INERT = str.maketrans({"<": "＜", ">": "＞"})
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # spreadsheets know the wide ones too


def tabulate_predictions(rows: EvaluationRows, probabilities: Floats, *, like: pa.Table) -> pa.Table:
    """Return one row a test row: its id, class index, predicted index and probabilities, (N, C) float64.

    The task and the classes are those of the table `like`. The predicted class is the first of the most probable.
    """
    columns = {
        "id": rows.ids,
        "label": rows.actual,
        "predicted": probabilities.argmax(axis=1),
        "probabilities": list(probabilities),
    }
    return describe(pa.table(columns), task=task_of(like), labels=labels_of(like))


def confusion_csv(predictions: pa.Table) -> str:
    """Return a CSV with one line an example: the names of its class and of the class predicted.

    Class names are untrusted text. `<` and `>` become their wide forms and hidden characters visible, so that no name
    is markup in the page of `dvc plots show`. A spreadsheet runs a cell that starts like a formula, so those get a
    leading apostrophe, as in OWASP ASVS 5.0, requirement 1.2.10. The true names are in the predictions.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(("actual", "predicted"))
    for pair in zip(class_names(predictions, "label"), class_names(predictions, "predicted"), strict=True):
        writer.writerow([_escape_formula(visible(name).translate(_INERT)) for name in pair])
    return stream.getvalue()


def _escape_formula(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA_STARTS) or cell[:1].isspace() else cell
