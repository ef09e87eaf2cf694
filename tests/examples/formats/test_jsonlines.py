import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.formats.jsonlines import as_texts, read_json_lines
from tests.given.ingesting import split_lines

COLUMNS = ("text", "label")


def read(content: str) -> list[tuple[int, list[Any]]]:
    rows = read_json_lines(split_lines(content), file="f.jsonl", columns=COLUMNS)
    return [(line, list(cells)) for line, cells in as_texts(rows, file="f.jsonl", columns=COLUMNS, texts=("text",))]


def read_raw(content: str) -> list[list[Any]]:
    rows = read_json_lines(split_lines(content), file="f.jsonl", columns=COLUMNS, complete=True)
    return [list(cells) for _, cells in rows]


@given(st.lists(st.text(), min_size=1), st.booleans(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_json_writes_reads_back_equal(texts: list[str], ascii_only: bool, end: str) -> None:
    content = end.join(json.dumps({"label": "a", "text": text}, ensure_ascii=ascii_only) for text in texts)
    assert read(content) == [(line, [text, "a"]) for line, text in enumerate(texts, start=1)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1", "1"),
        ("-0", "-0"),
        ("1.50", "1.50"),
        ("1E3", "1E3"),
        ("9" * 5000, "9" * 5000),
        ("true", "true"),
        ("false", "false"),
        ('"01"', "01"),
        ('"True"', "True"),
        ("null", None),
    ],
)
def test_labels_are_the_text_in_the_file(written: str, expected: str | None) -> None:
    assert read('{"text": "x", "label": ' + written + "}") == [(1, ["x", expected])]


def test_nulls_and_absent_texts_are_none_as_empty_cells_are_empty() -> None:
    assert read('{"text": null, "label": "x"}\n{"label": "y"}\n') == [(1, [None, "x"]), (2, [None, "y"])]


def test_nan_where_nobody_reads_is_no_fault() -> None:
    assert read('{"text": "a", "score": NaN, "label": "x", "more": [-Infinity]}\n') == [(1, ["a", "x"])]


def test_a_key_that_some_rows_lack_is_null_there_and_blank_lines_are_skipped() -> None:
    assert read('{"text": "a", "label": "x"}\n\n{"text": "b"}\n') == [(1, ["a", "x"]), (3, ["b", None])]


def test_values_may_be_lists_where_nobody_needs_texts() -> None:
    assert read_raw('{"text": ["a", "b"], "label": null}\n{"text": [], "label": 1}') == [[["a", "b"], None], [[], "1"]]


def test_each_line_must_have_each_key_where_all_are_needed() -> None:
    with pytest.raises(DataError, match=r"f\.jsonl:2: 2 row\(s\) without a key \(line 2, 4\): 'label', 'text'"):
        read_raw('{"text": "a", "label": "x"}\n{"text": "b"}\n\n{"label": "x"}\n')


def read_sparse(content: str) -> list[list[Any]]:
    rows = read_json_lines(split_lines(content), file="f.jsonl", columns=COLUMNS)
    return [list(cells) for _, cells in rows if any(cells)]


GOOD = '{"text": "a", "label": "b"}\n'
FAULTS = [
    (
        GOOD + '{"text": "a", "label"\nnot json\n',
        ["f.jsonl:2: 2 row(s) that are not one JSON object (line 2, 3)", "Expecting"],
    ),
    (GOOD + '["a", "b"]\n', ["f.jsonl:2:", "'a list'"]),
    ('[{"text": "a", "label": "b"},\n{"text": "c", "label": "d"}]\n', ["looks like one list"]),
    (GOOD + '{"text": "a", "text": "b", "label": "c"}\n', ["f.jsonl:2:", "key 'text' twice"]),
    (
        GOOD + '{"text": "a", "label": NaN}\n{"text": -Infinity, "label": "b"}\n',
        ["f.jsonl:2: 2 row(s) with NaN or Infinity", "text: a, label: NaN", "text: -Infinity", "Write null", "to_json"],
    ),
    (GOOD + '{"a":' * 100_000 + "\n", ["f.jsonl:2:", "recursion"]),
    (GOOD + "[" * 100_000 + "\n", ["f.jsonl:2:", "'a list'"]),
    ('{"body": "a", "label": "b"}\n', ["f.jsonl: column 'text' is not there", "'body', 'label'"]),
    (
        GOOD + '{"text": 5, "label": "b"}\n{"text": null, "label": "b"}\n{"text": true, "label": "b"}\n',
        ["f.jsonl:2: column 'text': 2 row(s) whose text is not a string (line 2, 4): 5, True"],
    ),
    (
        GOOD + '{"text": "a", "label": ["b"]}\n',
        ["f.jsonl:2: column 'label': 1 row(s) with a list or an object (line 2): ['b']", "several labels"],
    ),
    (
        '{"text": 1, "label": "b"}\r{"text": "a", "label": {}}\n{"text": "a", "label": NaN}\nno\n',
        ["f.jsonl:1:", "lone carriage", "f.jsonl:2:", "object", "f.jsonl:3:", "NaN", "f.jsonl:4:", "not one JSON"],
    ),
]


def test_a_line_with_a_hundred_thousand_keys_takes_linear_time() -> None:
    # Counting each key in the list of all took minutes.
    keys = ", ".join(f'"{n}": 0' for n in range(100_000))
    with pytest.raises(DataError, match=r"key '99999' twice"):
        read("{" + keys + ', "99999": 0}')


def test_columns_are_found_among_any_number_of_names() -> None:
    many = "".join(f'{{"{n}": 0}}\n' for n in range(3000))
    with pytest.raises(DataError, match=r"column 'label' is not there; found 1001 column\(s\)"):
        read(many + '{"text": "a"}\n')
    assert read_sparse('{"x": 0}\n' * 2 + many + '{"text": "a", "label": "b"}\n') == [["a", "b"]]


@pytest.mark.parametrize(("content", "words"), FAULTS)
def test_a_malformed_file_is_refused_with_place_count_and_remedy(content: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(content)
    for word in words:
        assert word in str(caught.value)
