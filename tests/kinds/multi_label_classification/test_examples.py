"""Rows of label sets: every fault by its file, line, column and remedy, and what of them is kept."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError
from pipeline.examples.intake import Intake
from pipeline.examples.read import read_records
from pipeline.examples.taking.entry import take_in
from pipeline.kinds.multi_label_classification.examples import EXAMPLES
from pipeline.kinds.multi_label_classification.settings import LabelSetParams
from tests.given.settings import read_section

ROWS = [["a", ["x", "y"]], ["b", ["y"]], ["c", ["x"]]]


def params(**own: Any) -> LabelSetParams:
    special = read_section("kinds")["multi-label-classification"]["ingest"]
    values = {
        **{key: value for key, value in read_section("ingest").items() if key in LabelSetParams.model_fields},
        **special,
        **{"task": "t", "file": "rows.jsonl", "format": "jsonl", "labels": ["x", "y"], "corrected": {}},
        **own,
    }
    return LabelSetParams.model_validate(values, strict=False)


def take(folder: Path, rows: Sequence[Sequence[Any]] | str, **own: Any) -> Intake:
    chosen = params(**own)
    lines = rows if isinstance(rows, str) else "".join(json.dumps({"text": r[0], "labels": r[1]}) + "\n" for r in rows)
    (folder / chosen.file).write_text(lines, encoding="utf-8")
    return take_in(read_records(folder / chosen.file, chosen), chosen, EXAMPLES)


CSV = {"file": "rows.csv", "format": "delimited", "separator": ";"}


@pytest.mark.parametrize(
    ("rows", "own", "words"),
    [
        ([*ROWS, ["d", ["x", "z"]]], {}, r"rows\.jsonl:4: column 'labels': 1 row.*'z'.*\[\"x\", \"y\", \"z\"\]"),
        ([*ROWS, ["d", ["X"]]], {}, r":4: .*'X'.*collides with 'x'"),
        ([*ROWS, ["d", None], ["e", None]], {}, r":4: .*: 2 row\(s\) without labels \(line 4, 5\).*unlabelled: drop"),
        ([*ROWS, ["d", []]], {}, r":4: column 'labels': 1 row\(s\) with no label .*no_labels: keep"),
        ([*ROWS, ["d", ["x", " "]]], {}, r":4: column 'labels': 1 row\(s\) with an empty label .*'x; '"),
        ([*ROWS, ["d", [""]]], {"no_labels": "keep"}, r":4: column 'labels': 1 row\(s\) with an empty label"),
        ([*ROWS, ["d", ["x", "x"]]], {}, r":4: column 'labels': 1 row\(s\) with a label twice .*'x; x'"),
        ([*ROWS, ["d", "x"]], {}, r":4: column 'labels': 1 row\(s\) without lists of values .*Write lists of values"),
        ([*ROWS, ["d", ["x", None]]], {}, r":4: column 'labels': 1 row\(s\) without lists of values"),
        ([*ROWS, ["d", [["x"]]]], {}, r":4: column 'labels': 1 row\(s\) without lists of values"),
        ([*ROWS, ["d", {"x": True}]], {}, r":4: column 'labels': 1 row\(s\) without lists of values"),
        ([["a", ["x"]], ["b", ["x"]]], {}, r"column 'labels': no row of class 'y'; .*'x' \(2\)"),
        ([*ROWS, ["a", ["x"]]], {"conflicts": "fail"}, r":1: column 'labels': 2 row\(s\) of 1 text.*\(line 1, 4\)"),
        ([*ROWS, [" ", ["x"]]], {"empty": "fail"}, r":4: column 'text': 1 row\(s\) without a visible character"),
        ("text,labels\na,x;y\nb,x|y\n", CSV, r"rows\.csv:3: column 'labels': .*'x\|y'"),
        ("text,labels\na,x;;y\nb,y\n", CSV, r"rows\.csv:2: column 'labels': 1 row\(s\) with an empty label"),
        ("text,labels\na,x;y\nb,\n", CSV, r"rows\.csv:3: column 'labels': 1 row\(s\) with no label"),
        ("text,labels\na,x;y\n", {**CSV, "separator": None}, r"'labels': a cell of text holds no lists.*separator"),
    ],
)  # fmt: skip
def test_faults(tmp_path, rows, own, words):
    with pytest.raises(DataError, match=words):
        take(tmp_path, rows, **own)


def test_a_null_in_a_list_of_parquet_is_an_empty_label(tmp_path):
    chosen = params(file="rows.parquet", format="parquet")
    pq.write_table(pa.table({"text": ["a", "b"], "labels": [["x", None], ["y"]]}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"rows\.parquet.*column 'labels': 1 row"):
        take_in(read_records(tmp_path / "rows.parquet", chosen), chosen, EXAMPLES)


def test_all_kinds_of_faults_are_named_at_once(tmp_path):
    with pytest.raises(DataError) as error:
        take(tmp_path, [*ROWS, ["d", ["z"]], ["e", ["x", "x"]], ["f", []], ["g", None]])
    message = str(error.value)
    assert "4 kinds of faults" in message
    for words in ("'z'", "with a label twice", "with no label", "without labels"):
        assert words in message


def test_sets_are_rising_indices_and_splits_count_each_label(tmp_path):
    taken = take(
        tmp_path, [["a", ["y", " x "]], ["b", []], ["c", ["y"]], ["d", None]], no_labels="keep", unlabelled="drop"
    )
    assert taken.examples["labels"].to_pylist() == [[0, 1], [], [1]]
    assert taken.counts["dropped"]["unlabelled"] == 1
    totals = {name: sum(part[name] for part in taken.counts["splits"].values()) for name in ("x", "y")}
    assert totals == {"x": 1, "y": 2}


def test_a_cell_is_divided_and_labels_are_mapped(tmp_path):
    content = 'text,labels\na,"1, 2"\nb,2\nc,\n'
    own = {**CSV, "separator": ",", "labels": {"1": "one", "2": "two"}, "no_labels": "keep"}
    assert take(tmp_path, content, **own).examples["labels"].to_pylist() == [[0, 1], [1], []]


@pytest.mark.parametrize(
    ("policy", "kept"), [("drop", {"b", "c"}), ("majority", {"a", "b", "c"})]
)  # fmt: skip
def test_another_set_of_an_equal_text_is_a_conflict(tmp_path, policy, kept):
    taken = take(tmp_path, [*ROWS, ["A ", ["y"]], ["a", ["y", "x"]]], conflicts=policy)
    assert {text.lower() for text in taken.examples["text"].to_pylist()} == kept
    assert taken.counts["conflicts"]["texts"] == 1


def test_a_correction_is_a_set_in_words(tmp_path):
    ids = take(tmp_path, ROWS).examples["id"].to_pylist()
    corrected = {ids[1]: {"correction": "y; x", "label": "y"}, ids[2]: {"correction": "-", "label": None}}
    taken = take(tmp_path, ROWS, corrections="c.csv", corrected=corrected)
    assert taken.examples["labels"].to_pylist() == [[0, 1], [0, 1]]
    with pytest.raises(DataError, match=r"c\.csv: column 'correction': 1 row.*'x; q'"):
        take(tmp_path, ROWS, corrections="c.csv", corrected={ids[1]: {"correction": "x; q", "label": None}})


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"labels": ["x;y", "z"]}, "'x;y', in which ';' would separate"),
        ({"labels": ["x y", "z"], "separator": " "}, "'x y', in which ' ' would separate"),
        ({"labels": ["x"]}, "at least two"),
        ({**CSV, "separator": ",", "quote": ""}, "`separator` and `delimiter` must differ"),
        ({"label": "text"}, "two columns"),
        ({"keep": ["labels"]}, "a column of the examples"),
    ],
)
def test_params_that_contradict_themselves(own, words):
    with pytest.raises(ValidationError, match=words):
        params(**own)
