import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.format import visible
from pipeline.evaluate.plot import confusion_csv


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6))
def test_confusion_csv_reads_back_without_formulas_and_markup(names: list[str]) -> None:
    text = confusion_csv(names, names[::-1])
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == ["actual", "predicted"]
    assert len(rows) == len(names)
    for cells, wanted in zip(rows, zip(names, names[::-1], strict=True), strict=True):
        for cell, name in zip(cells, wanted, strict=True):
            shown = visible(name).replace("<", "＜").replace(">", "＞")
            assert cell in (shown, f"'{shown}")
            assert cell.lstrip()[:1] not in {"=", "+", "-", "@", "＝", "＋", "－", "＠"}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1", " plain"])
def test_formulas_are_made_inert(name: str) -> None:
    text = confusion_csv([name, "plain"], ["a-b", 'quo"te'])
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == [[f"'{visible(name)}", "a-b"], ["plain", 'quo"te']]


HOSTILE = ("</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "<!--<script>", "plain")


def test_a_hostile_class_name_is_no_markup_in_the_page_of_dvc(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(
        "plots: [{confusion.csv: {template: confusion, x: actual, y: predicted}}]\n", encoding="utf-8"
    )
    (tmp_path / "confusion.csv").write_text(confusion_csv(HOSTILE, HOSTILE[::-1]), encoding="utf-8", newline="")
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_GLOBAL_CONFIG_DIR": str(tmp_path)}
    for words in (["init", "--quiet", "--no-scm"], ["plots", "show", "--out", "page"]):
        subprocess.run(
            [sys.executable, "-m", "dvc", *words], cwd=tmp_path, env=environment, check=True, capture_output=True
        )
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "alert(1)" in page  # the names are there, as text
    assert "alert(2)" in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<!--<script" not in page
