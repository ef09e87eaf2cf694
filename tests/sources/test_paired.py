"""Pairs of texts out of a CSV file."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.errors import DataError
from pipeline.settings.sources import PackageSource, Paired
from pipeline.sources.paired import write_pairs
from tests.given.sources import make_wheel, package_source

PAIRED = {"file": "pairs.jsonl", "rows": "lines.csv", "first": "said", "second": "answer", "most": 100}
LINES = [f"line {at},answer {at}" for at in range(10)]


def pair(folder: Path, lines: list[str] = LINES, **changes: Any) -> list[Any]:
    (folder / "lines.csv").write_text("\n".join(["said,answer", *lines]), encoding="utf-8")
    write_pairs(Paired.model_validate({**PAIRED, **changes}), folder)
    return [json.loads(line) for line in (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]


def test_half_of_the_pairs_exchange_their_second_texts(tmp_path):
    rows = pair(tmp_path)
    assert rows[:2] == [
        {"said": "line 0", "answer": "answer 0", "label": "own"},
        {"said": "line 1", "answer": "answer 5", "label": "other"},
    ]
    others = [(int(row["said"][5:]), int(row["answer"][7:])) for row in rows if row["label"] == "other"]
    assert [first for first, _ in others] == sorted(second for _, second in others) == [1, 3, 5, 7, 9]
    assert all(first != second for first, second in others)
    assert len(pair(tmp_path, most=7)) == 7


@given(st.lists(st.tuples(*[st.text("aB ", max_size=4)] * 2), max_size=60))
def test_no_text_is_in_two_pairs(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("pairs")
    rows = pair(folder, [*LINES, *(f'"{first}","{second}"' for first, second in cells)])
    texts = [" ".join(row[name].casefold().split()) for row in rows for name in ("said", "answer")]
    assert len(texts) == len(set(texts))
    assert all(texts)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lines": LINES[:3]}, r"lines\.csv: 3 rows"),
        ({"lines": [LINES[0]] * 9}, r"lines\.csv: 1 rows"),
        ({"second": "reply"}, r"lines\.csv: no column 'reply', found 'said', 'answer'"),
        ({"lines": [*LINES, 'a,"b']}, r"lines\.csv: no CSV"),
        ({"rows": "none.csv"}, r"none\.csv: no CSV"),
    ],
)
def test_a_file_that_gives_no_pairs(tmp_path, given, words):
    with pytest.raises(DataError, match=words):
        pair(tmp_path, **given)


@pytest.mark.parametrize("changes", [{"rows": "other.csv"}, {"file": "lines.jsonl"}, {"file": "pairs.csv"}])
def test_a_source_pairs_what_it_has(tmp_path, changes):
    wheel = make_wheel(tmp_path, {"a/lines.csv": b"said,answer\n", "a/lines.jsonl": b""})
    members = {"a/lines.csv": "lines.csv", "a/lines.jsonl": "lines.jsonl"}
    values = package_source(wheel, members)
    assert PackageSource.model_validate({**values, "paired": PAIRED}).paired
    with pytest.raises(ValidationError):
        PackageSource.model_validate({**values, "paired": {**PAIRED, **changes}})
