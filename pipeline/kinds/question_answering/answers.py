"""Answers of question answering: a part of the passage, or none if that is the better answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.core.files import read_json
from pipeline.examples.text import is_empty, normalise, text_key
from pipeline.predict.kind import ANSWER_DIGITS, Answers, OutputNames, Outputs
from pipeline.predict.questions import TOKEN_READING, Prepared, Questions, Unanswerable
from pipeline.reading.decoding import SPAN_OUTPUTS, Decoded, Window, decode
from pipeline.reading.scores import ScoredAnswers, score_answers
from pipeline.reading.windows import WindowTokenizer, find_characters, list_windows, load_windows

Withhold = tuple[float | None]  # the doubt above which there is no answer; None: there always is one
_ENCODED = 256  # questions at a time: what the tokenizer says of a window is large
_COLUMNS = {"answer": pa.string(), "start": pa.int64(), "end": pa.int64(), "probability": pa.float64()}


class Asked(NamedTuple):
    """A question about a passage, both in their normal form."""

    context: str
    question: str


class SpanAnswer(BaseModel):
    """The answer to one question."""

    answer: str | None = Field(description="A part of the passage, in its normal form; null: it holds no answer.")
    start: int | None = Field(description="Its first character, counted in the normal form of the passage from 0.")
    end: int | None = Field(description="The character after its last.")
    probability: float = Field(description="Of this answer, or of there being none.")


def _read(cells: Sequence[Any]) -> Asked:
    asked = Asked(*(normalise(cell) if isinstance(cell, str) else "" for cell in cells))
    if any(map(is_empty, asked)):
        raise Unanswerable("without a visible character in the passage or the question")
    return asked


def _open(folder: Path, max_length: int) -> WindowTokenizer:
    cut = read_json(folder / "tokenizer.json").get("truncation") or {}
    if cut.get("strategy") != "OnlySecond":
        raise EnvironmentFault(
            f"{folder / 'tokenizer.json'}: does not say how passages are divided, as it did not before it was needed. "
            f"{REPRODUCE}"
        )
    return load_windows(folder, max_length=max_length, overlap=cut["stride"])


def _fit(tokenizer: WindowTokenizer, _max_length: int, asked: Asked) -> Asked:
    if (count := tokenizer.count(asked.question)) > tokenizer.room:
        raise Unanswerable(f"with a question of {count} tokens, more than the {tokenizer.room} that leave room")
    return asked


def _prepare(tokenizer: WindowTokenizer, _max_length: int, questions: Sequence[Asked]) -> Prepared:
    """Return the windows of passages: ids and types, (T, 2), and the characters of each token, (2, T)."""
    ids, owners, places = list[Any](), list[int](), list[Any]()
    for first in range(0, len(questions), _ENCODED):
        pairs = [(asked.question, asked.context) for asked in questions[first : first + _ENCODED]]
        for owner, encoding in enumerate(tokenizer.windows.encode_batch(pairs), first):
            for window in list_windows(encoding):
                ids.append(np.array([window.ids, window.type_ids], np.int32).T)
                owners.append(owner)
                places.append(np.array(find_characters(window), np.int32))
    return Prepared(questions, ids, owners, places)


def _join(rows: Sequence[Outputs], prepared: Prepared) -> list[Decoded]:
    """Return the best span of each passage over its windows."""
    windows = [list[Window]() for _ in prepared.questions]
    for values, owner, (starts, ends) in zip(rows, prepared.owners, prepared.places, strict=True):
        windows[owner].append(Window(starts, ends, values))
    return [*map(decode, windows)]


def _answer(decoded: Decoded, context: str, threshold: float | None) -> Document:
    start, end, _ = decoded.best
    if start == end or (threshold is not None and decoded.doubt > threshold):
        return {"answer": None, "start": None, "end": None, "probability": decoded.null_probability}
    return {"answer": context[start:end], "start": start, "end": end, "probability": decoded.span_probability}


def _respond(
    outputs: Sequence[Decoded], questions: Sequence[Asked], _labels: OutputNames, decision: Withhold, _with_all: bool
) -> list[Document]:
    """Return a `SpanAnswer` to each question."""
    (threshold,) = decision
    return [_answer(each, asked.context, threshold) for each, asked in zip(outputs, questions, strict=True)]


def _tabulate(
    outputs: Sequence[Decoded], questions: Sequence[Asked], labels: OutputNames, decision: Withhold
) -> list[Any]:
    answers = _respond(outputs, questions, labels, decision, False)
    rounded = [answer | {"probability": round(answer["probability"], ANSWER_DIGITS)} for answer in answers]
    return [[answer[name] for answer in rounded] for name in _COLUMNS]


def _pipe(
    outputs: Sequence[Decoded], questions: Sequence[Asked], labels: OutputNames, decision: Withhold, with_all: bool
) -> list[Any]:
    """Return a `ScoredSpan` to each question; with all, the best span and that there is none, the likelier first."""
    if not with_all:
        return [_as_scored(answer) for answer in _respond(outputs, questions, labels, decision, False)]
    both = (
        [_as_scored(_answer(each, asked.context, threshold)) for threshold in (None, -np.inf)]
        for each, asked in zip(outputs, questions, strict=True)
    )
    return [sorted(pair, key=lambda scored: -float(scored["score"])) for pair in both]


def _as_scored(answer: Document) -> Document:
    return {
        "score": answer["probability"],
        "start": answer["start"] or 0,
        "end": answer["end"] or 0,
        "answer": answer["answer"] or "",
    }


def _differ(
    outputs: Sequence[Outputs], others: Sequence[Outputs], _labels: OutputNames, _decision: Any
) -> npt.NDArray[np.bool_]:
    """Return whether another token is the likeliest start or end, of each window."""
    pairs = zip(outputs, others, strict=True)
    return np.array([(one.argmax(axis=0) != other.argmax(axis=0)).any() for one, other in pairs], np.bool_)


def _score(outputs: Sequence[Outputs], inputs: pa.Table, labels: OutputNames, decision: Withhold) -> ScoredAnswers:
    begins = pc.is_valid(inputs["context"])
    contexts, truths = (inputs[name].filter(begins).to_pylist() for name in ("context", "answers"))
    asked = [Asked(context, "") for context in contexts]
    bounds = zip(inputs["starts"].to_pylist(), inputs["ends"].to_pylist(), strict=True)
    owners = np.cumsum(begins.to_numpy()) - 1
    decoded = _join(outputs, Prepared(asked, [], owners.tolist(), [np.array(own, np.int32) for own in bounds]))
    answers = [answer["answer"] or "" for answer in _respond(decoded, asked, labels, decision, False)]
    return score_answers(answers, truths, [None] * len(answers))


ANSWERS = Answers(
    head="ForQuestionAnswering",
    problem=None,
    reads="every token",
    questions=Questions(
        fields={"context": "text", "question": "text"},
        columns=lambda ingest: {ingest.context: "text", ingest.question: "text"},
        joined=False,
        of_text=None,
        sample=lambda length: Asked("and " * length, "?"),
        read=_read,
        name=lambda asked: f"{text_key(asked.context)}\0{text_key(asked.question)}",
        open=_open,
        fit=_fit,
        prepare=_prepare,
        reading=TOKEN_READING,
    ),
    outputs=lambda _classes: SPAN_OUTPUTS,
    activate=lambda rows: [logits.astype(np.float64) for logits in rows],
    join=_join,
    keep=lambda calibration: calibration["threshold"],
    decide=lambda kept: (kept,),
    columns=lambda _labels: dict(_COLUMNS),
    tabulate=_tabulate,
    names=lambda batch: ("(no answer)" if answer is None else "answered" for answer in batch["answer"].to_pylist()),
    answer=(SpanAnswer, {"answer": "Ada", "start": 26, "end": 29, "probability": 0.93}),
    respond=_respond,
    pipe=_pipe,
    differ=_differ,
    unit=lambda _logits: 1.0,
    score=_score,
)
