import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.jsonlines import parse
from pipeline.examples.records import Records


def read(content: str) -> Records:
    return parse(content, file="f.jsonl", columns=("text", "label"), text="text")


@given(st.lists(st.text(), min_size=1), st.booleans(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_json_writes_reads_back_equal(texts: list[str], ascii_only: bool, end: str) -> None:
    content = end.join(json.dumps({"label": "a", "text": text}, ensure_ascii=ascii_only) for text in texts)
    records = read(content)
    assert records.columns == {"text": texts, "label": ["a"] * len(texts)}
    assert records.lines == list(range(1, len(texts) + 1))


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
    assert read('{"text": "x", "label": ' + written + "}").columns["label"] == [expected]


def test_a_key_that_some_rows_lack_is_null_there_and_blank_lines_are_skipped() -> None:
    records = read('{"text": "a", "label": "x"}\n\n{"text": "b"}\n')
    assert (records.lines, records.columns["label"]) == ([1, 3], ["x", None])


GOOD = '{"text": "a", "label": "b"}\n'
FAULTS = [
    (
        GOOD + '{"text": "a", "label"\nnot json\n',
        ["f.jsonl:2: 2 row(s) that are not one JSON object (line 2, 3)", "Expecting"],
    ),
    (GOOD + '["a", "b"]\n', ["f.jsonl:2:", "'a list'"]),
    ('[{"text": "a", "label": "b"},\n{"text": "c", "label": "d"}]\n', ["looks like one list"]),
    (GOOD + '{"text": "a", "text": "b", "label": "c"}\n', ["f.jsonl:2:", "key 'text' twice"]),
    (GOOD + '{"text": "a", "label": NaN}\n', ["f.jsonl:2:", "NaN is not JSON"]),
    (GOOD + "[" * 100_000 + "\n", ["f.jsonl:2:", "recursion"]),
    ('{"body": "a", "label": "b"}\n', ["f.jsonl: column 'text' is not there", "'body', 'label'"]),
    (
        GOOD
        + '{"text": 5, "label": "b"}\n{"text": null, "label": "b"}\n{"label": "b"}\n{"text": true, "label": "b"}\n',
        [
            "f.jsonl:2: column 'text': 4 row(s) whose text is not a string (line 2, 3, 4, 5)",
            "'null or no such key', True",
        ],
    ),
    (
        GOOD + '{"text": "a", "label": ["b"]}\n',
        ["f.jsonl:2: column 'label': 1 row(s) with a list or an object (line 2): ['b']"],
    ),
]


@pytest.mark.parametrize(("content", "words"), FAULTS)
def test_a_malformed_file_is_refused_with_place_count_and_remedy(content: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(content)
    for word in words:
        assert word in str(caught.value)
