import json
from typing import Any

import pytest

from pipeline.core.errors import DataError
from pipeline.examples.faults import RowErrors
from pipeline.examples.formats.squad import read_squad

COLUMNS = ("title", "question", "answers", "is_impossible")
ANSWER = {"text": "Oslo", "answer_start": 0}


def document(*questions: Any) -> dict[str, Any]:
    return {"version": "v2.0", "data": [{"title": "Towns", "paragraphs": [{"context": "Oslo.", "qas": [*questions]}]}]}


def read(content: str, columns: tuple[str, ...] = COLUMNS) -> list[tuple[int, list[Any]]]:
    return [(number, list(cells)) for number, cells in read_squad([content], file="f.json", columns=columns)]


def test_both_versions_become_rows_in_order():
    first = {"id": "1", "question": "Where?", "answers": [ANSWER]}
    second = {"id": "2", "question": "Who?", "answers": [], "is_impossible": True, "plausible_answers": [ANSWER]}
    third = {"id": "3", "question": "When?"}
    assert read(json.dumps(document(first, second, third))) == [
        (1, ["Towns", "Where?", json.dumps([ANSWER]), None]),
        (2, ["Towns", "Who?", "[]", "true"]),
        (3, ["Towns", "When?", None, None]),
    ]


def test_a_wanted_column_that_squad_has_not_is_refused():
    with pytest.raises(DataError, match="'passage' is not there"):
        read(json.dumps(document()), ("passage",))


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("{", "not one JSON document"),
        ("[" * 10_000, "not one JSON document"),
        ("[]", "data: must be a list, found nothing"),
        ('{"data": {}}', "data: must be a list, found a dict"),
        ('{"data": [{"title": 1, "paragraphs": []}]}', "data[0].title: must be a string, found a int"),
        ('{"data": [{}]}', "data[0].paragraphs: must be a list"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', "data[0].paragraphs[0].context: must be a string"),
        ('{"data": [{"paragraphs": [{"context": "a"}]}]}', "data[0].paragraphs[0].qas: must be a list"),
    ],
)
def test_a_file_that_is_no_such_document_is_refused_by_place(content, where):
    with pytest.raises(DataError) as error:
        read(content)
    assert str(error.value).startswith("f.json: ")
    assert where in str(error.value)


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("Where?", "a str"),
        ({"answers": []}, "no `question`"),
        ({"question": "Where?", "id": 7}, "an `id` that is no string"),
        ({"question": "Where?", "is_impossible": "no"}, "neither true nor false"),
        ({"question": "Where?", "is_impossible": True, "answers": [ANSWER]}, "impossible, with answers"),
        ({"question": "Where?", "is_impossible": False, "answers": []}, "possible, without answers"),
    ],
)
def test_a_faulty_question_is_counted_and_the_others_are_read(question, shown):
    rows = []
    with pytest.raises(RowErrors) as error:
        rows.extend(read_squad([json.dumps(document({"question": "Who?"}, question))], file="f.json", columns=COLUMNS))
    assert [number for number, _ in rows] == [1]
    assert str(error.value).startswith("f.json:2: 1 row(s) ")
    assert shown in str(error.value)
