from typing import Any

import pytest
from pydantic import ValidationError

from tests.given.ingesting import ingest_params


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"label": "text"}, "`text` and `label` are both 'text'"),
        ({"group": "label"}, "`group` is 'label'"),
        ({"split": "text"}, "`split` is 'text'"),
        ({"group": "user", "split": "side"}, "either `group`"),
        ({"keep": ["a", "a"]}, "`keep` names 'a' 2 times"),
        ({"keep": ["row"]}, "`keep` names 'row'"),
        ({"labels": ["only"]}, "one class 'only'"),
        ({"labels": {"a": "x", "b": "x"}}, "one class 'x'"),
        ({"labels": ["Pos", "pos"]}, "2 classes that are 'pos' up to case"),
        ({"labels": ["pos", " neg"]}, "' neg'"),
        ({"labels": {" 0": "ham", "1": "spam"}}, "' 0'"),
        ({"labels": None, "threshold": {"at": 0, "above": "x", "otherwise": "x"}}, "`threshold` has the one class 'x'"),
        ({"labels": None}, "either `labels`"),
        ({"delimiter": "\n"}, "`delimiter` is '\\\\n', which ends a line"),
        ({"quote": "\r"}, "which ends a line"),
        ({"delimiter": '"'}, "`delimiter` and `quote` are both"),
        ({"encoding": "utf-9"}, "`encoding` is 'utf-9'"),
        ({"encoding": "rot13"}, "no codec"),
        ({"format": "pattern", "pattern": "(?P<text"}, "not a regular expression"),
        ({"format": "pattern", "pattern": "(?P<text>.*)"}, r"no group \(\?P<label>"),
        ({"pattern": "(?P<text>.*) (?P<label>.*)"}, "goes with `format: pattern`"),
    ],
)
def test_params_that_contradict_one_another_are_refused(own: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ingest_params(**own)


def test_several_errors_are_told_at_once() -> None:
    with pytest.raises(ValidationError, match=r"`keep` names 'id'.*`encoding`"):
        ingest_params(keep=["id"], encoding="utf-9")


def test_the_columns_to_read_are_each_named_once() -> None:
    params = ingest_params(text="body", group="user", keep=["user", "topic"])
    assert params.columns() == ("body", "label", "user", "topic")
