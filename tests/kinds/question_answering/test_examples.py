"""The layouts give the same examples, and each fault of a file has the answer owed."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError
from pipeline.core.tables import labels_of
from pipeline.examples.intake import Intake
from pipeline.examples.read import read_records
from pipeline.examples.taking.entry import take_in
from pipeline.kinds.question_answering.examples import EXAMPLES
from pipeline.kinds.question_answering.settings import ReadingParams
from tests.given.settings import read_section

PASSAGE = "Ada Lovelace lived in London. She met Charles Babbage in 1833."
WHERE = {"context": PASSAGE, "question": "Where did she live?", "answers": [{"text": "London", "answer_start": 22}]}
WHO = {"context": PASSAGE, "question": "Who did she marry?", "answers": []}
OTHER = {"context": "Oslo is cold.", "question": "What is cold?", "answers": [{"text": "Oslo", "answer_start": 0}]}


def reading_params(**own: Any) -> ReadingParams:
    given = {
        key: value
        for key, value in read_section("ingest", "question-answering").items()
        if key in ReadingParams.model_fields
    }
    values = {**given, "task": "tiny", "file": "tiny", "format": "jsonl", "corrected": {}, **own}
    return ReadingParams.model_validate_json(json.dumps(values))


def ingest(path: Path, content: str, **own: Any) -> Intake:
    path.write_text(content, encoding="utf-8")
    params = reading_params(**own)
    return take_in(read_records(path, params), params, EXAMPLES)


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def as_squad(*rows: dict[str, Any]) -> str:
    qas = [{"id": str(at), **row, "is_impossible": not row["answers"]} for at, row in enumerate(rows)]
    paragraphs = [{"context": row["context"], "qas": [question]} for row, question in zip(rows, qas, strict=True)]
    return json.dumps({"data": [{"title": "T", "paragraphs": paragraphs}]})


def as_lists(row: dict[str, Any]) -> dict[str, Any]:
    parts = {key: [answer[key] for answer in row["answers"]] for key in ("text", "answer_start")}
    return {**row, "answers": parts}


@pytest.mark.parametrize(
    ("content", "own"),
    [
        (lines(WHERE, WHO, OTHER), {}),
        (lines(*map(as_lists, (WHERE, WHO, OTHER))), {}),
        (as_squad(WHERE, WHO, OTHER), {"format": "squad"}),
    ],
    ids=["objects", "lists", "squad"],
)
def test_each_layout_gives_the_same_examples(tmp_path, content, own):
    examples, counts = ingest(tmp_path / "f", content, **own)
    assert labels_of(examples) == ("answerable", "unanswerable")
    assert examples.select(["context", "question", "answers", "starts"]).to_pylist() == [
        {"context": PASSAGE, "question": WHERE["question"], "answers": ["London"], "starts": [22]},
        {"context": PASSAGE, "question": WHO["question"], "answers": [], "starts": []},
        {"context": OTHER["context"], "question": OTHER["question"], "answers": ["Oslo"], "starts": [0]},
    ]
    assert counts["changed"]["moved"]["rows"] == 0
    assert sum(split["unanswerable"] for split in counts["splits"].values()) == 1
    sides = examples["split"].to_pylist()
    assert sides[0] == sides[1]


def test_parquet_of_the_hub_gives_them_too(tmp_path):
    table = pa.Table.from_pylist([as_lists(row) for row in (WHERE, WHO, OTHER)])
    pq.write_table(table, tmp_path / "f.parquet")
    params = reading_params(format="parquet")
    examples = take_in(read_records(tmp_path / "f.parquet", params), params, EXAMPLES).examples
    assert examples["answers"].to_pylist() == [["London"], [], ["Oslo"]]


def test_a_passage_is_in_one_split_even_if_splits_are_dealt_out_of_train(tmp_path):
    rows = [
        {**OTHER, "question": f"{word}?", "context": f"Oslo {place}.", "split": split}
        for split, places in (("train", range(30)), ("test", range(30, 33)))
        for place in places
        for word in ("a", "b", "c")
    ]
    examples, _ = ingest(tmp_path / "f", lines(*rows), split="split")
    assert set(examples["split"].to_pylist()) == {"train", "validation", "test"}
    sides: dict[str, set[str]] = {}
    for row in examples.to_pylist():
        sides.setdefault(row["context"], set()).add(row["split"])
    assert all(len(own) == 1 for own in sides.values())


def test_offsets_follow_the_normal_form(tmp_path):
    passage = "  Rene\u0301 met Jose\u0301\u200b in Lima."
    row = {**WHERE, "context": passage, "answers": [{"text": "Lima", "answer_start": passage.index("Lima")}]}
    examples, counts = ingest(tmp_path / "f", lines(row, OTHER))
    own = examples.to_pylist()[0]
    assert own["context"] == "René met José  in Lima."
    assert own["context"][own["starts"][0] :].startswith("Lima")
    assert counts["changed"]["normalised"]["rows"] == 1


def test_answers_that_are_misplaced_are_moved_if_wanted(tmp_path):
    row = {**WHERE, "answers": [{"text": "London", "answer_start": 24}]}
    examples, counts = ingest(tmp_path / "f", lines(row, WHO), misplaced="nearest")
    assert examples["starts"].to_pylist()[0] == [22]
    assert counts["changed"]["moved"] == {"rows": 1, "lines": [1]}


def with_answers(*answers: Any) -> dict[str, Any]:
    return {**WHERE, "answers": [*answers]}


FAULTS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "shape": (lines(WHO, {**WHERE, "answers": "London"}), {}, ("f:2: column 'answers': 1 row(s) with answers of",)),
    "no offset": (lines(with_answers({"text": "London"})), {}, ("f:1: ", "whole number `answer_start`")),
    "uneven": (
        lines({**WHERE, "answers": {"text": ["London"], "answer_start": []}}), {}, ("two lists of one length",)),
    "misplaced": (
        lines(WHO, with_answers({"text": "London", "answer_start": 21})), {},
        ("f:2: column 'answers': 1 row(s)", "'London' at 21, nearest at 22", "misplaced: nearest")),
    "negative": (lines(with_answers({"text": "London", "answer_start": -1})), {}, ("at -1, nearest at 22",)),
    "absent": (lines(with_answers({"text": "Paris", "answer_start": 22})), {}, ("not in the passage", "'Paris'")),
    "absent, though others may move": (
        lines(with_answers({"text": "london", "answer_start": 22})), {"misplaced": "nearest"}, ("not in the passage",)),
    "blank": (lines(with_answers({"text": " ", "answer_start": 3})), {}, ("f:1: ", "with a blank answer")),
    "within a character": (
        lines({**WHERE, "context": "\u1112\u1161", "answers": [{"text": "\u1112", "answer_start": 0}]}), {},
        ("begins or ends within a character",)),
    "unlabelled": (lines({**WHERE, "answers": None}, WHO), {}, ("f:1: ", "without answers", "unlabelled: drop")),
    "empty": (lines({**WHERE, "question": " "}, WHO), {"empty": "fail"}, ("f:1: ", "context + question")),
    "controls": (
        lines({**WHERE, "question": "Where\x07?"}), {"controls": "fail"}, ("column 'question'", "with control")),
    "passage is a number": (lines({**WHERE, "context": 7}), {}, ("column 'context'", "not a string")),
    "no such column": (lines({"context": "a", "query": "b", "answers": []}), {}, ("'question' is not there",)),
    "conflict": (lines(WHERE, {**WHERE, "answers": []}), {"conflicts": "fail"}, ("2 row(s)", "line 1, 2")),
    "no group": (lines({**WHERE, "title": ""}, WHO), {"group": "title"}, ("column 'title'", "without a group")),
    "no passage in test": (lines({**WHERE, "split": "train"}), {"split": "split"}, ("no rows in validation and test",)),
    "squad that contradicts itself": (
        as_squad(WHERE).replace('"is_impossible": false', '"is_impossible": true'), {"format": "squad"},
        ("f:1: 1 row(s) that are no question of SQuAD", "impossible, with answers")),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_the_answer_owed(tmp_path, name):
    content, own, parts = FAULTS[name]
    with pytest.raises(DataError) as error:
        ingest(tmp_path / "f", content, **own)
    assert all(part in str(error.value) for part in parts), str(error.value)


def test_faults_of_several_sorts_are_told_at_once_with_five_examples(tmp_path):
    absent = [with_answers({"text": f"Town {place}", "answer_start": 0}) for place in range(7)]
    moved = with_answers({"text": "London", "answer_start": 0})
    with pytest.raises(DataError) as error:
        ingest(tmp_path / "f", lines(*absent, moved))
    text = str(error.value)
    assert text.startswith("2 kinds of faults")
    assert "7 row(s)" in text
    assert "(line 1, 2, 3, 4, 5 and 2 more)" in text
    assert "'Town 4' and more" in text
    assert f"{tmp_path / 'f'}:8: " in text


def test_rows_that_may_go_are_dropped_and_counted(tmp_path):
    rows = ({**WHERE, "answers": None}, {**WHERE, "question": ""}, WHO, WHO, OTHER)
    examples, counts = ingest(tmp_path / "f", lines(*rows), unlabelled="drop")
    assert examples.num_rows == 2
    assert {key: counts["dropped"][key] for key in ("empty", "unlabelled", "duplicates")} == {
        "empty": 1, "unlabelled": 1, "duplicates": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own", "named"),
    [
        ({"question": "context"}, "three columns"),
        ({"corrections": "a.csv"}, "corrections"),
        ({"keep": ["starts"]}, "keep"),
    ],
)
def test_params_that_contradict_themselves_are_refused(own, named):
    with pytest.raises(ValidationError, match=named):
        reading_params(**own)
