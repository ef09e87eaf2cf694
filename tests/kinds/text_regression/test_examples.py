"""Rows of numbers: every fault by its file, line, column and remedy, and what of them is kept."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError
from pipeline.examples.intake import Intake
from pipeline.examples.read import read_records
from pipeline.examples.taking.entry import take_in
from pipeline.kinds.text_regression.examples import EXAMPLES
from pipeline.kinds.text_regression.settings import NumberParams
from tests.given.settings import read_section

ROWS = "text,score\na,1\nb,-2.5\nc,.5\n"


def params(**own: Any) -> NumberParams:
    special = read_section("kinds")["text-regression"]["ingest"]
    common = {key: value for key, value in read_section("ingest").items() if key in NumberParams.model_fields}
    values = {**common, **special, "task": "t", "file": "rows.csv", "label": "score", "corrected": {}, **own}
    return NumberParams.model_validate(values, strict=False)


def take(folder: Path, rows: str, **own: Any) -> Intake:
    chosen = params(**own)
    (folder / chosen.file).write_text(rows, encoding="utf-8")
    return take_in(read_records(folder / chosen.file, chosen), chosen, EXAMPLES)


@pytest.mark.parametrize(
    "cell", ["NaN", "inf", "-Infinity", "1e999", "1,5", "1.500,0", "three", "0x10", "1 000", "5%", "--1", "\u0661"]
)
def test_what_is_no_finite_number(tmp_path, cell):
    words = rf"rows\.csv:5: column 'score': 1 row.* not a finite number \(line 5\): '{cell}'.*decimal point"
    with pytest.raises(DataError, match=words):
        take(tmp_path, f'{ROWS}d,"{cell}"\n')


@pytest.mark.parametrize(
    ("rows", "own", "words"),
    [
        (ROWS + "d,\ne, \n", {}, r":5: column 'score': 2 row\(s\) without a number \(line 5, 6\).*unlabelled: drop"),
        (ROWS + "d,1,2\n", {}, r":5: 1 row\(s\) without the 2 cells of the header"),
        (ROWS + "A ,2\n", {"conflicts": "fail"}, r":2: column 'score': 2 row\(s\) of 1 text.*\(line 2, 5\)"),
        (ROWS + " ,2\n", {"empty": "fail"}, r":5: column 'text': 1 row\(s\) without a visible character"),
        ("text,score\na,1\nb,1.0\n", {}, r"column 'score': all numbers are equal, 1\.0"),
        ("text,rating\na,1\n", {}, r"column 'score' is not there; found 2 column\(s\): 'text', 'rating'"),
        (ROWS, {"corrected": {"0" * 16: {"correction": "good", "label": None}}}, r"column 'correction': 1 row.*'good'"),
    ],
)
def test_faults(tmp_path, rows, own, words):
    with pytest.raises(DataError, match=words):
        take(tmp_path, rows, **own)


def test_all_kinds_of_faults_are_named_at_once(tmp_path):
    with pytest.raises(DataError, match="3 kinds of faults") as error:
        take(tmp_path, f"{ROWS}d,\ne,x\n ,1\n", empty="fail")
    for words in ("without a number", "not a finite number", "visible character"):
        assert words in str(error.value)


def test_faults_of_rows_beside_a_ragged_line_are_told_with_it(tmp_path):
    with pytest.raises(DataError, match="2 kinds of faults") as error:
        take(tmp_path, f"{ROWS}d,x\ne,1,2\n")
    assert ":6: 1 row(s) without the 2 cells" in str(error.value)
    assert ":5: column 'score': 1 row(s)" in str(error.value)


def test_numbers_are_kept_as_they_are(tmp_path):
    taken = take(tmp_path, "text,score\na, +1.5e-3 \nb,\nc,-7\nd,9007199254740993\n", unlabelled="drop")
    assert taken.examples["label"].to_pylist() == [0.0015, -7.0, 9007199254740992.0]
    assert taken.counts["dropped"]["unlabelled"] == 1
    assert sum(part[""] for part in taken.counts["splits"].values()) == 3


@pytest.mark.parametrize(("policy", "kept"), [("drop", [-2.5, 0.5]), ("majority", [1.0, -2.5, 0.5])])
def test_another_number_of_an_equal_text_is_a_conflict(tmp_path, policy, kept):
    taken = take(tmp_path, f"{ROWS}A,2\na,1.0\n", conflicts=policy)
    assert taken.examples["label"].to_pylist() == kept
    assert taken.counts["conflicts"] == {"texts": 1, "rows": 3, "lines": [2, 5, 6]}


def test_a_correction_is_a_number(tmp_path):
    ids = take(tmp_path, ROWS).examples["id"].to_pylist()
    corrected = {
        ids[0]: {"correction": "3", "label": "1.0"},
        ids[1]: {"correction": "-", "label": None},
        ids[2]: {"correction": "4", "label": "7"},
    }
    taken = take(tmp_path, ROWS, corrections="c.csv", corrected=corrected)
    assert taken.examples["label"].to_pylist() == [3.0, 0.5]
    assert taken.counts["corrections"]["stale"]["count"] == 1


@pytest.mark.parametrize(
    ("own", "words"), [({"label": "text"}, "two columns"), ({"keep": ["label"]}, "a column of the examples")]
)
def test_params_that_contradict_themselves(own, words):
    with pytest.raises(ValidationError, match=words):
        params(**own)
