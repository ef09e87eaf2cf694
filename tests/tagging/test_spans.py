import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.text import is_empty, normalise
from pipeline.tagging.spans import CharacterSpan, find_fault, find_words, mark_words, parse_character_spans

TEXT = "Maria López-Ruiz moved to Oslo."


@pytest.mark.parametrize(
    "span",
    [
        {"start": 26, "end": 30, "label": "LOC", "token_start": 4},
        {"id": 1, "start_offset": 26, "end_offset": 30, "label": "LOC"},
        [26, 30, "LOC"],
        {"start": 26, "end": 30, "text": "Oslo", "labels": ["LOC"]},
    ],
)
def test_the_spans_of_annotation_tools(span: object) -> None:
    assert parse_character_spans(json.dumps([span])) == [CharacterSpan(26, 30, "LOC")]


@pytest.mark.parametrize(
    "cell",
    ['{"start": 0}', "[", '["PER"]', "[[0, 1]]", '[{"start": "0", "end": 1, "label": "A"}]', '[{"start": 0, "end": 1}]',
     '[{"start": true, "end": 1, "label": "A"}]', '[{"start": 0, "end": 1, "labels": ["A", "B"]}]'],
)  # fmt: skip
def test_no_spans(cell: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_character_spans(cell)


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ([(0, 99)], "of 32 characters"),
        ([(5, 5)], "of 32 characters"),
        ([(-1, 5)], "of 32 characters"),
        ([(5, 6)], "covers no word"),
        ([(31, 32)], "covers no word"),
        ([(0, 16), (6, 11)], "overlap"),
    ],
)
def test_spans_that_do_not_fit(spans: list[tuple[int, int]], words: str) -> None:
    assert words in (find_fault(f"{TEXT}\u200b", [CharacterSpan(*span, "A") for span in spans]) or "")


def test_the_words_of_a_span_have_its_tag() -> None:
    marked = mark_words(TEXT, [CharacterSpan(0, 16, "PER"), CharacterSpan(26, 30, "LOC")])
    assert marked.words == ["Maria", "López", "-", "Ruiz", "moved", "to", "Oslo", "."]
    assert marked.tags == ["B-PER", "I-PER", "I-PER", "I-PER", "O", "O", "B-LOC", "O"]
    assert not marked.widened


def test_a_part_of_a_word_takes_the_whole_of_it() -> None:
    marked = mark_words(TEXT, [CharacterSpan(0, 3, "PER"), CharacterSpan(27, 31, "LOC")])
    assert marked.tags == ["B-PER", "O", "O", "O", "O", "O", "B-LOC", "I-LOC"]
    assert marked.widened


@given(st.text() | st.text(st.sampled_from("a1. \u200b\u200d\ufeff\x00\xad")))
def test_words_leave_out_what_cannot_be_seen_alone(text: str) -> None:
    words = find_words(text)
    assert all(text[word.start : word.end] == word.text for word in words)
    assert all(normalise(word.text) and not is_empty(word.text) for word in words)
    outside = set(range(len(text))) - {place for word in words for place in range(word.start, word.end)}
    assert is_empty("".join(text[place] for place in outside))


@given(st.text(st.sampled_from("ab 1.é\u0301क\u094d"), max_size=30), st.data())
def test_whole_words_come_back(text: str, data: st.DataObject) -> None:
    words = find_words(text)
    chosen = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    spans = [CharacterSpan(word.start, word.end, "A") for word, taken in zip(words, chosen, strict=True) if taken]
    marked = mark_words(text, spans)
    assert marked.tags == ["B-A" if taken else "O" for taken in chosen]
    assert find_fault(text, spans) is None
    assert not marked.widened
