"""The CSV behind the confusion plot."""

import csv
import io
from collections.abc import Iterable

from pipeline.core.format import visible

# DVC writes a CSV into a script of its page as it is, and a browser ends a script at `</script>`.
_INERT = str.maketrans({"<": "＜", ">": "＞"})
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # spreadsheets know the wide ones too


def confusion_csv(truths: Iterable[str], answers: Iterable[str]) -> str:
    """Return a CSV with one line an example, or a part of one: its truth and the answer in words, both untrusted text.

    `<` and `>` become their wide forms and hidden characters visible, so that no name is markup in the page of
    `dvc plots show`. A spreadsheet runs a cell that starts like a formula, so those get a leading apostrophe, as in
    OWASP ASVS 5.0, requirement 1.2.10. The true names are in the predictions.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(("actual", "predicted"))
    for pair in zip(truths, answers, strict=True):
        writer.writerow([_escape_formula(visible(name).translate(_INERT)) for name in pair])
    return stream.getvalue()


def _escape_formula(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA_STARTS) or cell[:1].isspace() else cell
