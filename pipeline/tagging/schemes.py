"""Schemes of tags: how a file marks the words of a span, brought to BIO, and the spans that BIO marks.

In BIO `B-PER` begins a span of type PER, `I-PER` goes on with it, and `O` is outside of all. IOB1 writes `B-` only if a
span follows another of its type; BILOU marks the last word of a span by `L-` and a span of one word by `U-` (`E-` and
`S-` of BIOES are read as those).

Source: Ramshaw and Marcus 1995, Text Chunking using Transformation-Based Learning; Ratinov and Roth 2009, Design
Challenges and Misconceptions in Named Entity Recognition.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Scheme = Literal["bio", "iob1", "bilou", "none"]
OUTSIDE_TAG = "O"
_PREFIXES: dict[str, dict[str, str]] = {
    "bio": {"B": "B", "I": "I"},
    "iob1": {"B": "B", "I": "I"},
    "bilou": {"B": "B", "I": "I", "L": "L", "U": "U", "E": "L", "S": "U"},
}


class Tag(NamedTuple):
    """A tag of a file: what it says of its word (O, B, I, L or U), and the type of the span, "" for O."""

    mark: str
    type: str


class SpanMark(NamedTuple):
    """A span of words, `start` to before `end`, and its type."""

    start: int
    end: int
    type: str


class BioTags(NamedTuple):
    """The tags of a sentence in BIO, and the positions where the file's tags break their scheme."""

    tags: list[str]
    illegal: list[int]


def parse_tag(tag: str, scheme: Scheme) -> Tag | None:
    """Return the parts of a tag; None if the scheme has no such tag."""
    if tag == OUTSIDE_TAG:
        return Tag(OUTSIDE_TAG, "")
    prefix, _, kind = tag.partition("-")
    mark = _PREFIXES[scheme].get(prefix)
    return Tag(mark, kind) if mark and kind else None


def to_bio(tags: Sequence[Tag], scheme: Scheme) -> BioTags:
    """Return tags in BIO; a tag that goes on with no span begins one, and is illegal unless the scheme is IOB1.

    In BILOU a span that is not closed by its last word is illegal too, at the word after it (or at the last one).
    """
    bio, illegal, current = list[str](), list[int](), ""
    for place, tag in enumerate(tags):
        goes_on = tag.mark in ("I", "L") and tag.type == current
        begins_late = tag.mark in ("I", "L") and not goes_on and scheme != "iob1"
        is_cut = scheme == "bilou" and current != "" and not goes_on
        if begins_late or is_cut:
            illegal.append(place)
        bio.append(OUTSIDE_TAG if tag.mark == OUTSIDE_TAG else f"{'I' if goes_on else 'B'}-{tag.type}")
        current = "" if tag.mark in ("L", "U") else tag.type
    if scheme == "bilou" and current:
        illegal.append(len(tags) - 1)
    return BioTags(bio, illegal)


def name_tags(types: Sequence[str], scheme: Scheme) -> tuple[str, ...]:
    """Return the classes of the words: the types themselves, or O and the two tags of each type of span."""
    if scheme == "none":
        return tuple(types)
    return (OUTSIDE_TAG, *(f"{mark}-{kind}" for kind in types for mark in ("B", "I")))


def list_types(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the types of span that classes mark: of BIO those of its tags, of plain tags the tags themselves."""
    return tuple(tag[2:] for tag in classes[1::2]) if is_bio(classes) else tuple(classes)


def is_bio(classes: Sequence[str]) -> bool:
    """Return whether classes are those of `name_tags` for spans."""
    return len(classes) > 2 and tuple(classes) == name_tags([tag[2:] for tag in classes[1::2]], "bio")


def find_spans(tags: Sequence[str]) -> Iterator[SpanMark]:
    """Yield the spans that tags in BIO mark; a tag that goes on with no span, as a model may say, marks none.

    Source: seqeval 1.2.2, `mode="strict"`, `scheme=IOB2`.
    """
    start, kind = 0, ""
    for place, tag in enumerate([*tags, OUTSIDE_TAG]):
        if kind and tag != f"I-{kind}":
            yield SpanMark(start, place, kind)
            kind = ""
        if tag.startswith("B-"):
            start, kind = place, tag[2:]
