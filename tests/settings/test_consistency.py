from typing import Any

import pytest
from pydantic import ValidationError

from tests.given.ingesting import ingest_params


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"label": "text"}, "`text` and `label`.*'text'"),
        ({"group": "label"}, "`group`.*'label'"),
        ({"split": "text"}, "`split`.*'text'"),
        ({"group": "user", "split": "side"}, "either `group`"),
        ({"keep": ["a", "a"]}, "`keep`.*'a' 2 times"),
        ({"keep": ["row"]}, "`keep`.*'row'"),
        ({"labels": ["only"]}, "`labels`.*'only'"),
        ({"labels": {"a": "x", "b": "x"}}, "`labels`.*'x'"),
        ({"labels": ["Pos", "pos"]}, "`labels` has 2 .*'pos'"),
        ({"labels": ["pos", " neg"]}, "`labels` has ' neg'"),
        ({"labels": {" 0": "ham", "1": "spam"}}, "`labels` has ' 0'"),
        ({"labels": None, "threshold": {"at": 0, "above": "x", "otherwise": "x"}}, "`threshold`.*'x'"),
        ({"labels": None}, "either `labels`"),
        ({"delimiter": "\n"}, "`delimiter`.*line.*'\\\\n'"),
        ({"quote": "\r"}, "`quote`.*line.*'\\\\r'"),
        ({"delimiter": '"'}, "`delimiter` and `quote`.*'\"'"),
        ({"encoding": "utf-9"}, "`encoding`.*'utf-9'"),
        ({"encoding": "rot13"}, "`encoding`.*'rot13'"),
        ({"format": "pattern", "pattern": "(?P<text"}, "not a regular expression"),
        ({"format": "pattern", "pattern": r"(?P<text>\d{99999999999})"}, "not a regular expression"),
        ({"format": "pattern", "pattern": "(" * 499 + ")" * 499}, "not a regular expression"),
        ({"format": "pattern", "pattern": "(?P<text>.*)"}, r"no group \(\?P<label>"),
        ({"pattern": "(?P<text>.*) (?P<label>.*)"}, "`pattern`.*`format: pattern`"),
    ],
)
def test_params_that_contradict_one_another_are_refused(own: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ingest_params(**own)


def test_several_errors_are_reported_at_once() -> None:
    with pytest.raises(ValidationError, match=r"`keep`.*'id'.*`encoding`.*'utf-9'"):
        ingest_params(keep=["id"], encoding="utf-9")


def test_the_columns_to_read_are_each_named_once() -> None:
    params = ingest_params(text="body", group="user", keep=["user", "topic"])
    assert list(params.columns()) == ["body", "label", "user", "topic"]
