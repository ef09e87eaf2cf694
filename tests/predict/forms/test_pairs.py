from types import SimpleNamespace

import pytest

from pipeline.core.errors import UsageError
from pipeline.examples.text import text_id
from pipeline.models.tokenizer import CHARS_PER_TOKEN
from pipeline.predict.forms.pairs import PAIR_QUESTIONS, TextPair
from pipeline.predict.questions import Unanswerable
from pipeline.predict.texts import choose_source, read_questions


def make_ingest(*text: str, pair: str | None) -> SimpleNamespace:
    return SimpleNamespace(text=text, pair=pair, file="own.parquet", max_cell_bytes=1000)


@pytest.mark.parametrize(
    ("ingest", "columns", "chosen"),
    [
        (None, (), ("text", "pair")),
        (None, ("a", "b"), ("a", "b")),
        (make_ingest("title", "body", pair="reply"), (), ("title", "body", "reply")),
        (make_ingest("title", "body", pair="reply"), ("a", "b"), ("a", "b")),
        (make_ingest("line", pair="reply"), ("a", "b", "c"), ("a", "b", "c")),
        (make_ingest("line", pair=None), (), ("line", "pair")),
    ],
)
def test_the_last_column_holds_the_second_text(ingest, columns, chosen):
    source = choose_source("new.csv", ingest, form=None, columns=columns, questions=PAIR_QUESTIONS)
    assert (source.columns, {*source.holds}) == (chosen, {"text"})


@pytest.mark.parametrize(
    ("columns", "fault"), [(("a",), "has 'text', 'pair', found 1"), (("a", "a"), "'a' is named twice")]
)
def test_a_pair_has_two_columns(columns, fault):
    with pytest.raises(UsageError, match=fault):
        choose_source("new.csv", None, form=None, columns=columns, questions=PAIR_QUESTIONS)
    with pytest.raises(UsageError, match="a line is no question"):
        choose_source("new.txt", None, form=None, columns=(), questions=PAIR_QUESTIONS)


def test_rows_are_read_as_the_examples_are(tmp_path):
    path, rejected = tmp_path / "new.csv", []
    path.write_text("a,b,c\n Caf\u0065\u0301 ,,two\none,,\n,\u200b,two\none,more,two\n", encoding="utf-8")
    source = choose_source(path.name, None, form=None, columns=("a", "b", "c"), questions=PAIR_QUESTIONS)
    read = [*read_questions(path, source, PAIR_QUESTIONS, lambda row, reason: rejected.append((row, reason)))]
    assert [each.question for each in read] == [TextPair("Caf\u00e9", "two"), TextPair("one\nmore", "two")]
    assert read[0].id == text_id("caf\u00e9\0two")
    assert rejected == [(row, "without a visible character") for row in (3, 4)]


def test_what_no_tokenizer_reaches_of_a_text_is_left_out():
    with pytest.raises(Unanswerable):
        PAIR_QUESTIONS.read(["a", None])
    asked = PAIR_QUESTIONS.fit(None, 2, TextPair("a" * 1000, "b"))
    assert asked == TextPair("a" * 2 * CHARS_PER_TOKEN, "b")
