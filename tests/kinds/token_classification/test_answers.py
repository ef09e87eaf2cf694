"""The answers of token classification: words of long sentences, joined from their rows."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.kinds.token_classification.answers import ANSWERS
from pipeline.predict.questions import Prepared
from pipeline.predict.texts import choose_source, read_questions
from pipeline.tagging.schemes import name_tags

LABELS = name_tags(("PER", "LOC"), "bio")


@given(lengths=st.lists(st.integers(0, 6), max_size=5), cut=st.integers(1, 4))
def test_each_word_gets_the_numbers_of_its_first_token(lengths, cut):
    """Every word has two tokens, and a row is cut anywhere between words."""
    sentences = [[f"w{place}" for place in range(length)] for length in lengths]
    rows, prepared = [], Prepared(sentences, [], [], [])
    for owner, words in enumerate(sentences):
        for start in range(0, len(words), cut):
            begun = [place for word in range(start, min(start + cut, len(words))) for place in (word, -1)]
            prepared.owners.append(owner)
            prepared.places.append([-1, *begun, -1])
            rows.append(np.array([[10 * owner + place] * len(LABELS) for place in (-1, *begun, -1)], float))
    joined = ANSWERS.join(rows, prepared)
    assert [own[:, 0].tolist() for own in joined if rows] == [
        [10 * owner + place for place in range(length)] for owner, length in enumerate(lengths) if rows
    ]


def test_tags_are_named_and_spans_have_the_places_of_their_words():
    words = ["Ann", "Lee", "left", "Oslo", "\u200b"]
    values = np.zeros((5, len(LABELS)))
    for place, tag in enumerate(("B-PER", "I-PER", "O", "B-LOC")):
        values[place, LABELS.index(tag)] = 0.9
    (answer,) = ANSWERS.respond([values], [words], LABELS, (), False)
    assert answer["tags"] == ["B-PER", "I-PER", "O", "B-LOC", "O"]
    assert answer["probabilities"] == [0.9, 0.9, 0.9, 0.9, 0.0]
    assert answer["spans"] == [
        {"start": 0, "end": 2, "label": "PER", "text": "Ann Lee"},
        {"start": 3, "end": 4, "label": "LOC", "text": "Oslo"},
    ]


def test_a_text_is_divided_as_the_words_of_marked_texts_are():
    assert ANSWERS.questions.read(["Ann left, late."]) == ["Ann", "left", ",", "late", "."]
    assert ANSWERS.questions.of_text("Ann left.") == ["Ann", "left", "."]
    assert ANSWERS.questions.read([["a b", None]]) == ["a b", ""]


def read_all(path, **options):
    source = choose_source(path.name, None, form=None, columns=options.get("columns", ()), questions=ANSWERS.questions)
    rejected: list[int | str] = []
    questions = read_questions(path, source, ANSWERS.questions, lambda row, _reason: rejected.append(row))
    return [(each.row, each.question) for each in questions], rejected


def test_words_are_read_from_lists_from_cells_and_from_texts(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"words": ["Ann", "left."]}\n{"words": []}\n{"words": "Ann"}\n{"words": [1]}\n')
    assert read_all(tmp_path / "a.jsonl") == ([(1, ["Ann", "left."])], [2, 3, 4])
    (tmp_path / "a.csv").write_text("id,tokens\n1,Ann left.\n2,\n")
    assert read_all(tmp_path / "a.csv", columns=["tokens"]) == ([(2, ["Ann", "left."])], [3])
    (tmp_path / "a.txt").write_text("Ann left.\n")
    assert read_all(tmp_path / "a.txt") == ([(1, ["Ann", "left", "."])], [])
    pq.write_table(pa.table({"words": [["Ann", "left."], None]}), tmp_path / "a.parquet")
    assert read_all(tmp_path / "a.parquet") == ([(1, ["Ann", "left."])], [2])
    with pytest.raises(UsageError, match="words"):
        read_all(tmp_path / "a.csv", columns=["id", "tokens"])
