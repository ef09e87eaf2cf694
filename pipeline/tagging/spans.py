"""Spans of characters, as annotation tools write them, as tags of the words of their text.

A span is `{"start": 0, "end": 5, "label": "PER"}` (Prodigy, spaCy), `{"start_offset": ..., "end_offset": ...}` or
`[0, 5, "PER"]` (doccano), or `{"start": ..., "end": ..., "labels": ["PER"]}` (Label Studio). `end` is the
place after its last character.
"""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from pipeline.examples.text import is_empty, word_pattern
from pipeline.tagging.schemes import OUTSIDE_TAG

_WORD = re.compile(rf"{word_pattern()}|\S")


class CharacterSpan(NamedTuple):
    """A span of the characters of a text, `start` to before `end`, and its type."""

    start: int
    end: int
    type: str


class TextWord(NamedTuple):
    """A word of a text and the place of its first character."""

    start: int
    text: str

    @property
    def end(self) -> int:
        """The place after its last character."""
        return self.start + len(self.text)


class MarkedText(NamedTuple):
    """The words of a text with their tags in BIO, and whether a span began or ended inside of a word."""

    words: list[str]
    tags: list[str]
    widened: bool


def find_words(text: str) -> list[TextWord]:
    """Return the words of a text: runs of letters, digits and marks, and each other visible character alone."""
    return [TextWord(match.start(), match.group()) for match in _WORD.finditer(text) if not is_empty(match.group())]


def parse_character_spans(cell: str) -> list[CharacterSpan]:
    """Return the spans of a cell of JSON, in the order of the text.

    Raises:
        ValueError: It is no list of spans; the message says what it is.
    """
    try:
        values = json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
    if not isinstance(values, list):
        raise ValueError("not a list of spans")  # noqa: TRY004 - the caller collects what is wrong with a row
    return sorted(_parse_span(value) for value in values)


def _parse_span(value: Any) -> CharacterSpan:
    if isinstance(value, list) and len(value) == 3:
        start, end, kind = value
    elif isinstance(value, dict):
        start, end = (value.get(key, value.get(f"{key}_offset")) for key in ("start", "end"))
        kinds = value.get("labels")
        kind = kinds[0] if isinstance(kinds, list) and len(kinds) == 1 else value.get("label")
    else:
        raise ValueError(f"no span: {json.dumps(value)}")
    whole = all(isinstance(place, int) and not isinstance(place, bool) for place in (start, end))
    if not whole or not isinstance(kind, str):
        raise ValueError(f"a span without start, end and one label: {json.dumps(value)}")
    return CharacterSpan(start, end, kind)


def find_fault(text: str, spans: Sequence[CharacterSpan]) -> str | None:
    """Return what is wrong with the spans of a text, sorted by their start; None if nothing is."""
    for span in spans:
        if not 0 <= span.start < span.end <= len(text):
            return f"{span.start} to {span.end} of {len(text)} characters"
        if is_empty(text[span.start : span.end]):
            return f"{span.start} to {span.end} covers no word"
    for left, right in pairwise(spans):
        if right.start < left.end:
            return f"{left.start} to {left.end} and {right.start} to {right.end} overlap"
    return None


def mark_words(text: str, spans: Sequence[CharacterSpan]) -> MarkedText:
    """Return the words of a text and their tags; a span that begins or ends inside of a word takes the whole of it.

    A word that two spans share belongs to the first.
    """
    words, tags, widened = find_words(text), list[str](), False
    left, begun = list(spans), False
    for word in words:
        while left and left[0].end <= word.start:
            left.pop(0)
            begun = False
        span = left[0] if left and left[0].start < word.end else None
        tags.append(f"{'I' if begun else 'B'}-{span.type}" if span else OUTSIDE_TAG)
        if span:
            begun = True
            widened |= (span.start > word.start) or (word.start < span.end < word.end)
    return MarkedText([word.text for word in words], tags, widened)
