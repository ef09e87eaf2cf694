"""What columns can be, by what they hold and how they are called."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.lines import LineCap
from pipeline.examples.read import Limits
from pipeline.project.drafts.roles import assign_columns, count_listed, find_separator, split_cells
from pipeline.project.drafts.table import look_at

LIMITS = Limits(10**6, LineCap(10**5, "max_cell_bytes"), 10**4)
SENTENCES = [f"parcel number {number} came late" for number in range(20)]


def fitting(path, roles, rows):
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return assign_columns(roles, look_at(path, LIMITS))


def test_a_name_that_is_a_key_decides(tmp_path):
    rows = [{"b": text * 3, "question": text, "context": text * 2} for text in SENTENCES]
    assert fitting(tmp_path / "x", {"context": "text", "question": "text"}, rows) == {
        "context": ["context", "b"],
        "question": ["question", "b"],
    }


def test_words_and_tags_are_two_columns_of_lists(tmp_path):
    rows = [{"n": 1, "ner": ["O"] * 5, "said": text.split()} for text in SENTENCES]
    assert fitting(tmp_path / "x", {"words": "words", "tags": "tags"}, rows) == {"words": ["said"], "tags": ["ner"]}


def test_a_number_with_fractions_is_likelier_than_an_id(tmp_path):
    rows = [{"id": at, "said": text, "mean": at / 8} for at, text in enumerate(SENTENCES)]
    assert fitting(tmp_path / "x", {"text": "text", "label": "number"}, rows)["label"] == ["mean", "id"]


@pytest.mark.parametrize(
    ("role", "cell"),
    [
        ("answers", [{"text": "late", "answer_start": 3}]),
        ("answers", {"text": ["late"], "answer_start": [3]}),
        ("answers", '[{"text": "late", "answer_start": 3}]'),
        ("image", "images/01.PNG"),
        ("class", "a"),
        ("classes", "a;b"),
        ("classes", ["a", "b"]),
    ],
)
def test_a_column_fits_its_role(tmp_path, role, cell):
    other = {"class": "b"}.get(role, cell)
    rows = [{"said": text, "it": other if at % 2 else cell} for at, text in enumerate(SENTENCES)]
    assert fitting(tmp_path / "x", {"key": role}, rows)["key"] == ["it"]


@pytest.mark.parametrize("role", ["number", "words", "tags", "answers", "image"])
def test_plain_text_fits_no_other_role(tmp_path, role):
    assert fitting(tmp_path / "x", {"key": role}, [{"said": text, "n": None} for text in SENTENCES])["key"] == []


@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=2), st.sampled_from(";|, "))
def test_a_separator_is_found_again(rows, mark):
    cells = [mark.join(sorted(row)) for row in rows]
    assert find_separator(cells) == (mark if any(len(row) > 1 for row in rows) else None)
    assert [set(row) for row in split_cells(cells, mark)] == rows
    assert count_listed(cells) == count_listed([sorted(row) for row in rows])
