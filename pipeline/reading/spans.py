"""Spans of passages: answers as their file has them, at their place in the normal form of the text."""

import json
import unicodedata
from typing import Any, NamedTuple

from pipeline.examples.text import CONTROLS


class Span(NamedTuple):
    """Characters of a text: where they start, from 0, and what they are."""

    start: int
    text: str

    @property
    def end(self) -> int:
        """Where they end, exclusive."""
        return self.start + len(self.text)


def parse_answers(cell: str) -> list[Span]:
    """Return the answers of a cell of JSON; an empty list says that the passage holds none.

    They are a list of `{"text": ..., "answer_start": ...}`, as in SQuAD, or one such object whose values are lists, as
    on the Hub. Offsets count characters.

    Raises:
        ValueError: They are of another shape.
    """
    try:
        value = json.loads(cell)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if isinstance(value, dict):
        texts, starts = value.get("text"), value.get("answer_start")
        if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
            raise ValueError("`text` and `answer_start` are not two lists of one length")
        return [_read_span(text, start) for text, start in zip(texts, starts, strict=True)]
    if not isinstance(value, list):
        raise ValueError(f"a {type(value).__name__}")  # noqa: TRY004 - the caller collects what is wrong with a row
    return [
        _read_span(part.get("text"), part.get("answer_start")) if isinstance(part, dict) else _read_span(part, None)
        for part in value
    ]


def _read_span(text: Any, start: Any) -> Span:
    if not isinstance(text, str):
        raise ValueError("an answer without a string `text`")  # noqa: TRY004
    if not isinstance(start, int) or isinstance(start, bool):
        raise ValueError("no whole number `answer_start`")  # noqa: TRY004
    return Span(start, text)


def find_nearest(passage: str, span: Span) -> Span | None:
    """Return the occurrence of a span's text that is nearest to its start, the first of equals; None without one."""
    if not span.text:
        return None
    before = passage.rfind(span.text, 0, max(0, span.start) + len(span.text))
    after = passage.find(span.text, max(0, span.start))
    places = [place for place in (before, after) if place >= 0]
    return Span(min(places, key=lambda place: abs(place - span.start)), span.text) if places else None


def normalise_span(passage: str, span: Span) -> Span | None:
    """Return a span of a raw text at its place in the text's normal form (`normalise`).

    White space and controls at its ends are left out; a letter whose marks it cuts off is taken whole. None if nothing
    is left, or if an end lies within what becomes one character.
    """
    start, end = span.start, span.end
    while start < end and _is_blank(passage[start]):
        start += 1
    while start < end and _is_blank(passage[end - 1]):
        end -= 1
    if start == end:
        return None
    while start > 0 and unicodedata.combining(passage[start]) and not _is_blank(passage[start - 1]):
        start -= 1
    while end < len(passage) and unicodedata.combining(passage[end]):
        end += 1
    before, inside, after = (_compose(part) for part in (passage[:start], passage[start:end], passage[end:]))
    whole = _compose(passage)
    if before + inside + after != whole:
        return None
    return Span(len(before) - (len(whole) - len(whole.lstrip())), inside)


def _is_blank(character: str) -> bool:
    return character.isspace() or CONTROLS.match(character) is not None


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", CONTROLS.sub(" ", text))
