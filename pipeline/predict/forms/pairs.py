"""Pairs of texts as questions: read, cut and encoded as the examples of a task of pairs are."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Encoding, Tokenizer

from pipeline.examples.text import normalise, text_key
from pipeline.models.tokenizer import CHARS_PER_TOKEN
from pipeline.predict.questions import TEXT_QUESTIONS, Prepared, read_text_row
from pipeline.settings.ingest import Holds

_FIELDS: Mapping[str, Holds] = {"text": "text", "pair": "text"}


class TextPair(NamedTuple):
    """Two texts, asked about together."""

    text: str
    pair: str


def _list_columns(ingest: Any) -> Mapping[str, Holds]:
    """Return the columns of the first text and of the second; a task that has none since names it as a request does."""
    return dict.fromkeys((*ingest.text, ingest.pair or "pair"), "text")


def _read(cells: Sequence[Any]) -> TextPair:
    """Return the pair of a row, whose last cell is the second text.

    Raises:
        Unanswerable: A text has no visible character.
    """
    return TextPair(read_text_row(cells[:-1]), read_text_row(cells[-1:]))


def _cut(max_length: int, asked: TextPair) -> TextPair:
    return TextPair(*(text[: max_length * CHARS_PER_TOKEN] for text in asked))


def _prepare(tokenizer: Tokenizer, max_length: int, questions: Sequence[TextPair]) -> Prepared:
    """Return pairs, cut as training has cut them (a token at a time, of the longer text), a row each, with types."""
    texts = [_cut(max_length, TextPair(*map(normalise, asked))) for asked in questions]
    encodings: list[Encoding] = tokenizer.encode_batch_fast(texts)
    ids = [np.array([encoding.ids, encoding.type_ids], np.int32).T for encoding in encodings]
    return Prepared(questions, ids, range(len(ids)), ())


PAIR_QUESTIONS = TEXT_QUESTIONS._replace(
    fields=_FIELDS,
    columns=_list_columns,
    of_text=None,
    sample=lambda length: TextPair("and " * length, "?"),
    read=_read,
    name=lambda asked: f"{text_key(asked.text)}\0{text_key(asked.pair)}",
    fit=lambda _tokenizer, max_length, asked: _cut(max_length, asked),
    prepare=_prepare,
)
