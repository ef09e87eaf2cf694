import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.reading.sentences import find_rest, fit_words, match_sentence, split_sentences
from pipeline.reading.spans import Span

PASSAGE = 'Ada wrote a letter in 1840. "Who reads it?" asked Tom! It cost 3.5 pounds'


def test_sentences_end_at_marks_and_not_within_numbers():
    assert [span.text for span in split_sentences(PASSAGE)] == [
        "Ada wrote a letter in 1840.",
        '"Who reads it?"',
        "asked Tom!",
        "It cost 3.5 pounds",
    ]


@given(st.text(st.sampled_from("ab .!?\n”。"), max_size=40), st.sampled_from(["ab", "a?", ""]))
def test_sentences_and_their_rest_are_parts_of_the_passage(passage, question):
    sentences = split_sentences(passage)
    assert "".join("".join(span.text for span in sentences).split()) == "".join(passage.split())
    for span in (*sentences, *(find_rest(sentence, question) for sentence in sentences)):
        assert passage[span.start : span.end] == span.text != ""


def test_passages_without_words_are_refused():
    with pytest.raises(DataError, match="2 sentences"):
        fit_words(["a b. 1 2", "a b. 1 2"])
    assert fit_words(["a \u0130."]).get_feature_names_out().tolist() == ["i\u0307"]


def test_the_sentence_that_shares_rare_words_is_chosen():
    words = fit_words([PASSAGE, "Tom sleeps. Tom eats."])
    match = match_sentence(words, PASSAGE, "When was the letter written by Ada?")
    assert match.sentence == Span(0, "Ada wrote a letter in 1840.")
    assert match.similarity > 0
    assert match_sentence(words, PASSAGE, "zebra?").similarity == 0


def test_the_rest_is_the_longest_run_that_the_question_does_not_say():
    assert find_rest(Span(10, "Ada wrote a letter in 1840."), "Who wrote a letter?").text == "in 1840"
    assert find_rest(Span(0, "who wrote"), "Who wrote?").text == "who wrote"
