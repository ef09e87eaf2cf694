"""Answers of token classification: the tag of each word, and the spans that the tags mark."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field
from tokenizers import Tokenizer

from pipeline.core.document import Document
from pipeline.examples.text import is_empty, normalise, text_key
from pipeline.models.tokenizer import load_tokenizer, set_prefix_space
from pipeline.predict.kind import ANSWER_DIGITS, Answers, OutputNames, Outputs
from pipeline.predict.logits import softmax
from pipeline.predict.questions import TOKEN_READING, Prepared, Questions, Unanswerable
from pipeline.settings.ingest import Holds
from pipeline.tagging.pieces import find_special, split_at_words
from pipeline.tagging.schemes import is_bio
from pipeline.tagging.scores import ScoredTags, count_tags, list_tagged_spans
from pipeline.tagging.spans import find_words

_SPAN = pa.struct({"start": pa.int64(), "end": pa.int64(), "label": pa.string(), "text": pa.string()})
_COLUMNS = {
    "words": pa.list_(pa.string()),
    "tags": pa.list_(pa.string()),
    "probabilities": pa.list_(pa.float64()),
    "spans": pa.list_(_SPAN),
}
Words = Sequence[str]


class MarkedSpan(BaseModel):
    """A span of words, `start` to before `end`, counted from 0."""

    start: int
    end: int
    label: str
    text: str = Field(description="The words with blanks between them.")


class TagAnswer(BaseModel):
    """The tags of the words of one sentence."""

    words: list[str] = Field(description="As they were sent, or found in a text.")
    tags: list[str] = Field(description="The tag of each word.")
    probabilities: list[float] = Field(description="Of these tags; 0 for a word that the tokenizer cannot read.")
    spans: list[MarkedSpan] = Field(description="That the tags mark; none if tags mark no spans.")


def _list_columns(ingest: Any) -> dict[str, Holds]:
    return {ingest.text: "text"} if ingest.text else {ingest.words: "texts"}


def _read(cells: Sequence[Any]) -> list[str]:
    (cell,) = cells
    words = [word.text for word in find_words(cell)] if isinstance(cell, str) else [word or "" for word in cell or ()]
    if is_empty("".join(words)):
        raise Unanswerable("without a visible character")
    return [normalise(word) for word in words]


def _open(folder: Path, max_length: int) -> Tokenizer:
    tokenizer = load_tokenizer(folder, max_length=max_length)
    tokenizer.no_truncation()
    set_prefix_space(tokenizer)
    return tokenizer


def _prepare(tokenizer: Tokenizer, max_length: int, sentences: Sequence[Words]) -> Prepared:
    """Return the tokens of sentences, in several rows if they are long, and the word that each token begins, or -1."""
    before, after = find_special(tokenizer)
    room = max_length - len(before) - len(after)
    ids, owners, places = list[list[int]](), list[int](), list[list[int]]()
    encodings = tokenizer.encode_batch([*map(list, sentences)], is_pretokenized=True, add_special_tokens=False)
    for owner, encoding in enumerate(encodings):
        for pieces in split_at_words(encoding.ids, [word or 0 for word in encoding.word_ids], room=room):
            begun = [
                word if place == 0 or pieces.words[place - 1] != word else -1 for place, word in enumerate(pieces.words)
            ]
            ids.append([*before, *pieces.ids, *after])
            owners.append(owner)
            places.append([*[-1] * len(before), *begun, *[-1] * len(after)])
    return Prepared(sentences, ids, owners, places)


def _join(rows: Sequence[Outputs], prepared: Prepared) -> list[Outputs]:
    """Return the probabilities of the tags of the words of each sentence, (W, C); 0 for a word without a token."""
    classes = rows[0].shape[1] if len(rows) else 1
    joined = [np.zeros((len(words), classes)) for words in prepared.questions]
    for values, owner, begun in zip(rows, prepared.owners, prepared.places, strict=True):
        places = np.array(begun)
        joined[owner][places[places >= 0]] = values[places >= 0]
    return joined


def _answer(values: Outputs, words: Words, labels: OutputNames) -> Document:
    tags = [labels[place] for place in values.argmax(axis=1)]
    spans = list_tagged_spans(tags, bio=True) if is_bio(labels) else []
    return {
        "words": [*words],
        "tags": tags,
        "probabilities": values.max(axis=1, initial=0.0).tolist(),
        "spans": [
            {"start": span.start, "end": span.end, "label": span.type, "text": " ".join(words[span.start : span.end])}
            for span in spans
        ],
    }


def _respond(
    outputs: Sequence[Outputs], sentences: Sequence[Words], labels: OutputNames, _decision: Any, _with_all: bool
) -> list[Document]:
    """Return a `TagAnswer` for each sentence."""
    return [_answer(values, words, labels) for values, words in zip(outputs, sentences, strict=True)]


def _tabulate(outputs: Sequence[Outputs], sentences: Sequence[Words], labels: OutputNames, _decision: Any) -> list[Any]:
    answers = _respond([values.round(ANSWER_DIGITS) for values in outputs], sentences, labels, _decision, False)
    return [[answer[name] for answer in answers] for name in _COLUMNS]


def _differ(
    outputs: Sequence[Outputs], others: Sequence[Outputs], _labels: OutputNames, _decision: Any
) -> npt.NDArray[np.bool_]:
    """Return which tags are others, words of all sentences in turn."""
    pairs = zip(outputs, others, strict=True)
    return np.concatenate(
        [np.zeros(0, np.bool_), *(one.argmax(axis=1) != other.argmax(axis=1) for one, other in pairs)]
    )


def _name_tags(inputs: pa.Table, values: Sequence[npt.NDArray[Any]], labels: OutputNames) -> list[list[str]]:
    """Return the tags of the words of each example, whose tokens have these `values`: indices of tags."""
    named: dict[str, list[str]] = {}
    for name, begun, tags in zip(inputs["id"].to_pylist(), inputs["words"].to_pylist(), values, strict=True):
        own = [labels[tag] for tag, word in zip(tags, begun, strict=True) if word >= 0]
        named.setdefault(name, []).extend(own)
    return [*named.values()]


def _score(outputs: Sequence[Outputs], inputs: pa.Table, labels: OutputNames, _decision: Any) -> ScoredTags:
    actual = _name_tags(inputs, [np.array(tags) for tags in inputs["tags"].to_pylist()], labels)
    predicted = _name_tags(inputs, [own.argmax(axis=1) for own in outputs], labels)
    return count_tags(actual, predicted, [None] * len(actual), labels)


ANSWERS = Answers(
    head="ForTokenClassification",
    problem=None,
    reads="every token",
    questions=Questions(
        fields={"words": "texts"},
        columns=_list_columns,
        joined=False,
        of_text=lambda text: [normalise(word.text) for word in find_words(text)],
        sample=lambda length: ["and"] * length,
        read=_read,
        name=lambda words: text_key(" ".join(words)),
        open=_open,
        fit=lambda _tokenizer, _max_length, words: words,
        prepare=_prepare,
        reading=TOKEN_READING,
    ),
    outputs=lambda classes: classes,
    activate=lambda rows: [softmax(logits) for logits in rows],
    join=_join,
    keep=lambda _calibration: None,
    decide=lambda _kept: (),
    columns=lambda _labels: dict(_COLUMNS),
    tabulate=_tabulate,
    names=lambda batch: (span["label"] for spans in batch["spans"].to_pylist() for span in spans),
    answer=(
        TagAnswer,
        {
            "words": ["Maria", "left", "Oslo", "."],
            "tags": ["B-PER", "O", "B-LOC", "O"],
            "probabilities": [0.98, 0.99, 0.97, 0.99],
            "spans": [
                {"start": 0, "end": 1, "label": "PER", "text": "Maria"},
                {"start": 2, "end": 3, "label": "LOC", "text": "Oslo"},
            ],
        },
    ),
    respond=_respond,
    pipe=None,
    differ=_differ,
    unit=lambda _logits: 1.0,
    score=_score,
)
