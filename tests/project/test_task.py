"""Tasks of params.yaml for a guess: valid, and no more than differs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.examples.read import Layout
from pipeline.project.guess import Guess
from pipeline.project.params_file import add_entry, list_encoders
from pipeline.project.task import fit_limits, list_doubts, make_name, name_task, render_guess
from pipeline.settings.fields import Name
from pipeline.settings.parse import parse_params
from pipeline.settings.shared.classes import Threshold

PLAIN = Guess(
    None, Layout("delimited", "utf-8", ",", '"'), "body", "team", ["a", "b"], None, {"a": 20, "b": 10}, None, 0
)


def task(guess: Guess, **limits: int):
    block = render_guess("own", "own/x.csv", guess, encoder="raw/e5", limits=limits)
    return parse_params(add_entry("tasks:\n", "tasks", block))[0]["tasks"]["own"]


def test_what_the_common_sections_have_is_not_repeated():
    ingest = {"file": "own/x.csv", "text": "body", "label": "team", "labels": ["a", "b"]}
    assert task(PLAIN) == {"kind": "text-classification", "encoder": "raw/e5", "ingest": ingest}


def test_all_that_differs():
    guess = PLAIN._replace(
        files={"train": ["data/train-*.parquet"]}, layout=Layout("delimited", "cp1252", "\t", ""),
        labels=None, threshold=Threshold(at=0.5, above="high", otherwise="low"), split="part", unlabelled=3,
    )  # fmt: skip
    assert task(guess, min_rows=7) == {
        "kind": "text-classification",
        "encoder": "raw/e5",
        "ingest": {
            "file": "own/x.csv", "files": {"train": ["data/train-*.parquet"]}, "delimiter": "\t", "quote": "",
            "encoding": "cp1252", "text": "body", "label": "team",
            "threshold": {"at": 0.5, "above": "high", "otherwise": "low"}, "split": "part", "unlabelled": "drop",
        },
        "validate": {"min_rows": 7},
    }  # fmt: skip
    assert task(PLAIN._replace(layout=Layout("jsonl", "utf-8", ",", '"')))["ingest"]["format"] == "jsonl"


@pytest.mark.parametrize("name", ["2026", "null", "1e5", "on"])
def test_a_name_that_yaml_takes_for_something_else(name):
    block = render_guess(name, "x.csv", PLAIN, encoder="raw/e5", limits={})
    assert list(parse_params(f"tasks:\n{block}")[0]["tasks"]) == [name]


def test_an_encoder_of_its_own():
    block = render_guess("own", "own/x.csv", PLAIN, encoder="raw/e5", limits={})
    assert list_encoders(parse_params(f"tasks:\n{block}")[0]) == ["raw/e5"]


@given(st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=12, unique=True), st.text(min_size=1, max_size=8))
def test_any_label_and_any_column(labels, column):
    guess = PLAIN._replace(labels=labels, counts=dict.fromkeys(labels, 1), text=column)
    ingest = task(guess)["ingest"]
    assert (ingest["labels"], ingest["text"]) == (labels, column)


def test_a_threshold_is_offered_for_numbers_alone():
    def block(labels):
        return render_guess("own", "x", PLAIN._replace(labels=labels), encoder="raw/e5", limits={})

    assert "# threshold: {at: 3, " in block(["1", "2", "3", "4", "5"])
    assert "threshold" not in block(["0", "1"]) + block(["a", "b", "3"])


def test_what_is_doubtful_is_told():
    assert list_doubts(PLAIN, {}) == []
    doubtful = PLAIN._replace(
        layout=PLAIN.layout._replace(encoding="cp1252"),
        threshold=Threshold(at=0.25, above="b", otherwise="a"),
        unlabelled=3,
    )
    encoding, threshold, unlabelled = list_doubts(doubtful, {})
    assert "cp1252" in encoding
    assert "0.25" in threshold
    assert "3 rows" in unlabelled
    rare, few = list_doubts(PLAIN._replace(counts={"spam": 40, "Spamm": 1}), {"min_rows": 4})
    assert "Spamm" in rare
    assert "spam," not in rare
    assert "4 rows" in few


def test_a_limit_fits_few_rows_and_that_of_a_class_stays():
    few = {"train": {"a": 3, "b": 40}, "validation": {"a": 2, "b": 10}, "test": {"a": 0, "b": 33}}
    common = {"min_rows": 30}
    assert fit_limits(few, common) == {"min_rows": 12}
    assert fit_limits({split: {"a": 30, "b": 30} for split in few}, common) == {}


@given(st.text())
def test_a_name_is_one_of_params(words):
    TypeAdapter(Name).validate_python(make_name(words))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Our Tickets.v2.csv.gz", "our-tickets"),
        ("minilm.csv", "minilm-texts"),
        ("\u559c.csv", "task"),
        ("Pr\u00fcfliste 2026.csv", "prufliste-2026"),
    ],
)  # fmt: skip
def test_a_task_is_called_like_its_file(path, name):
    assert name_task(Path(path), {"minilm": {}}) == name
