import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.text import normalise
from pipeline.reading.spans import Span, find_nearest, normalise_span, parse_answers

TEXT = st.text(st.sampled_from("ab \u0301\u0308é\u200b\x07\n한ᄒ\u1161😀"), max_size=30)


@pytest.mark.parametrize("cell", ['[{"text": "b", "answer_start": 1}]', '{"text": ["b"], "answer_start": [1]}'])
def test_both_shapes_give_the_same_spans(cell):
    assert parse_answers(cell) == [Span(1, "b")]


@pytest.mark.parametrize("cell", ["[]", '{"text": [], "answer_start": []}'])
def test_no_answers_are_an_empty_list(cell):
    assert parse_answers(cell) == []


@pytest.mark.parametrize(
    "cell",
    ['"b"', "1", '["b"]', '[{"text": "b"}]', '[{"text": "b", "answer_start": "1"}]', "{",
     '[{"text": "b", "answer_start": true}]', '{"text": ["b"], "answer_start": []}', '{"text": "b"}', "[" * 200_000],
)  # fmt: skip
def test_another_shape_is_refused(cell):
    with pytest.raises(ValueError, match=r"a |no |are |Expecting|deeply"):
        parse_answers(cell)


@given(st.text("ab", max_size=20), st.text("ab", min_size=1, max_size=3), st.integers(-5, 25))
def test_the_nearest_occurrence_is_found(passage, text, start):
    places = [place for place in range(len(passage)) if passage.startswith(text, place)]
    found = find_nearest(passage, Span(start, text))
    if not places:
        assert found is None
    else:
        assert found is not None
        assert found.start in places
        assert abs(found.start - start) == min(abs(place - start) for place in places)


@given(TEXT, st.data())
def test_a_span_of_the_raw_text_is_one_of_the_normal_form(passage, data):
    start = data.draw(st.integers(0, len(passage)))
    end = data.draw(st.integers(start, len(passage)))
    found = normalise_span(passage, Span(start, passage[start:end]))
    if found is not None:
        assert normalise(passage)[found.start : found.end] == found.text
        assert found.text == found.text.strip() != ""


def test_offsets_move_with_the_text_before_them():
    passage = "  \u200bJose\u0301 met Rene\u0301e."
    found = normalise_span(passage, Span(passage.index("Rene"), "Rene"))
    assert found == Span(9, "René")  # the letter is taken whole


def test_a_span_that_is_blank_or_cuts_a_character_is_none():
    assert normalise_span("a  b", Span(1, "  ")) is None
    assert normalise_span("\u1112\u1161", Span(0, "\u1112")) is None  # two jamo become one syllable
