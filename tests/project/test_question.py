"""Questions on a terminal."""

import io

import pytest

from pipeline.core.errors import UsageError
from pipeline.project.question import ask_terminal


@pytest.mark.parametrize(("typed", "answer"), [("2\n", "b"), ("a\n", "a"), ("\n3\nx\n b \n", "b"), ("1\n", "1")])
def test_an_answer_is_typed_in_full_or_by_number(monkeypatch, capsys, typed, answer):
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert ask_terminal("Which?", ["a", "b"] if answer != "1" else ["b", "1"]) == answer
    assert "Which?" in capsys.readouterr().out


def test_no_answer(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(UsageError, match="no answer"):
        ask_terminal("Which?", ["a", "b"])
