from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.scheme import IOB2, Entities

from pipeline.tagging.schemes import (
    Scheme,
    SpanMark,
    Tag,
    find_spans,
    is_bio,
    list_types,
    name_tags,
    parse_tag,
    to_bio,
)

TYPES = ("PER", "LOC-X")
TAGS = st.lists(st.sampled_from(name_tags(TYPES, "bio")), max_size=12)


@st.composite
def sentences(draw: Any) -> tuple[int, list[SpanMark]]:
    """Return a number of words and the spans among them, in order."""
    spans, place = list[SpanMark](), 0
    for _ in range(draw(st.integers(0, 4))):
        start = place + draw(st.integers(0, 2))
        place = start + draw(st.integers(1, 3))
        spans.append(SpanMark(start, place, draw(st.sampled_from(TYPES))))
    return place + draw(st.integers(0, 2)), spans


def write(words: int, spans: list[SpanMark], scheme: Scheme) -> list[str]:
    """Return the tags of the spans in a scheme, as its paper defines it."""
    tags = ["O"] * words
    ends = {span.end: span.type for span in spans}
    for start, end, kind in spans:
        for place in range(start, end):
            mark = "B" if place == start else "I"
            if scheme == "iob1":
                mark = "B" if place == start and ends.get(start) == kind else "I"
            if scheme == "bilou" and place == end - 1:
                mark = "U" if end - start == 1 else "L"
            tags[place] = f"{mark}-{kind}"
    return tags


def parse(tags: list[str], scheme: Scheme) -> list[Tag]:
    parsed = [parse_tag(tag, scheme) for tag in tags]
    assert None not in parsed
    return [tag for tag in parsed if tag]


@given(TAGS)
def test_spans_are_those_of_seqeval_in_strict_mode(tags: list[str]) -> None:
    (expected,) = Entities([tags], IOB2).entities
    assert list(find_spans(tags)) == [SpanMark(span.start, span.end, span.tag) for span in expected]


@pytest.mark.parametrize("scheme", ["bio", "iob1", "bilou"])
@given(sentence=sentences())
def test_each_scheme_becomes_bio(scheme: Scheme, sentence: tuple[int, list[SpanMark]]) -> None:
    tags, illegal = to_bio(parse(write(*sentence, scheme), scheme), scheme)
    assert tags == write(*sentence, "bio")
    assert illegal == []
    assert list(find_spans(tags)) == sentence[1]


@pytest.mark.parametrize(
    ("tags", "scheme", "bio", "illegal"),
    [
        ("I-PER O", "bio", "B-PER O", [0]),
        ("B-PER I-LOC-X", "bio", "B-PER B-LOC-X", [1]),
        ("I-PER I-PER B-PER", "iob1", "B-PER I-PER B-PER", []),
        ("B-PER O", "bilou", "B-PER O", [1]),
        ("U-PER L-PER", "bilou", "B-PER B-PER", [1]),
        ("O B-PER", "bilou", "O B-PER", [1]),
        ("S-PER B-PER E-PER", "bilou", "B-PER B-PER I-PER", []),
    ],
)
def test_sequences_that_break_their_scheme(tags: str, scheme: Scheme, bio: str, illegal: list[int]) -> None:
    assert to_bio(parse(tags.split(), scheme), scheme) == (bio.split(), illegal)


@given(TAGS)
def test_what_is_in_bio_is_legal_and_stays(tags: list[str]) -> None:
    bio, _ = to_bio(parse(tags, "bio"), "bio")
    assert to_bio(parse(bio, "bio"), "bio") == (bio, [])


@pytest.mark.parametrize(
    ("tag", "scheme"), [("B", "bio"), ("B-", "bio"), ("L-PER", "bio"), ("PER", "iob1"), ("", "bilou")]
)
def test_no_tag_of_the_scheme(tag: str, scheme: Scheme) -> None:
    assert parse_tag(tag, scheme) is None


def test_classes_say_whether_they_mark_spans() -> None:
    assert name_tags(TYPES, "bilou") == ("O", "B-PER", "I-PER", "B-LOC-X", "I-LOC-X")
    assert list_types(name_tags(TYPES, "bio")) == TYPES
    assert not is_bio(name_tags(("O", "NOUN", "VERB"), "none"))
    assert list_types(("NOUN", "VERB")) == ("NOUN", "VERB")
