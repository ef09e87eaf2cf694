"""Waiting for a model's answer: until it is there, too late, or nobody waits any more."""

import asyncio
import base64
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.answer.batcher import Batcher, Job
from pipeline.core.errors import listed
from pipeline.examples.text import SURROGATES
from pipeline.predict.questions import Prepared, Unanswerable
from pipeline.settings.ingest import Holds

_NO_UNICODE = "Send Unicode, without lone surrogates."
_WANTED = {"text": "a string", "texts": "a list of strings", "bytes": "the bytes of a file in base64"}
_NOTHING = "Send a text with visible characters."


class DeadlinePassed(Exception):
    """The answer did not come in the time that the client gave."""


class ClientGone(Exception):
    """The client has closed its connection."""


class BadQuestion(Exception):
    """A question cannot be read; `place` is where it stands in the body, and the message says what to send instead."""

    def __init__(self, place: tuple[str | int, ...], message: str) -> None:
        """Say where, and why."""
        super().__init__(message)
        self.place = place


async def ask(
    batcher: Batcher, read: Callable[[], Prepared], *, seconds: float, gone: "asyncio.Future[Any]"
) -> tuple[Any, Prepared]:
    """Return the outputs of questions, and the questions with what the model has read; `read` prepares them.

    What is not computed when `seconds` have passed, or `gone` is done, never will be.

    Raises:
        Overloaded: Too much waits already.
        BadQuestion: A question cannot be read.
        DeadlinePassed: The time is over.
        ClientGone: `gone` came first.
    """
    deadline = time.monotonic() + seconds
    batcher.require_room()  # before any work
    batcher.users += 1
    try:
        reading = asyncio.get_running_loop().run_in_executor(batcher.reading, read)
        try:
            await _wait(reading, gone, deadline)
        finally:
            reading.cancel()  # if it has not begun
        prepared = reading.result()
        join = batcher.predictor.answers.join
        job = Job(prepared.rows, deadline=deadline, join=lambda rows: join(rows, prepared))
        batcher.submit(job)
        try:
            await _wait(job.answered, gone, deadline)
        finally:
            job.abandoned = True
        return job.answered.result(), prepared
    finally:
        batcher.users -= 1


def prepare_texts(batcher: Batcher, texts: Sequence[str]) -> Prepared:
    """Return texts with what the model reads of them.

    Raises:
        BadQuestion: A text is no Unicode, or holds nothing to read, or the model takes no plain texts.
    """
    kind = batcher.predictor.answers.questions
    if kind.of_text is None:
        raise BadQuestion(("texts",), f"Send `rows` of {listed(kind.fields)}.")
    for place, text in enumerate(texts):
        if SURROGATES.search(text):  # as JSON may spell them
            raise BadQuestion(("texts", place), _NO_UNICODE)
    prepared = batcher.predictor.prepare([*map(kind.of_text, texts)])
    # Of a text without anything to read, a row has nothing but special tokens, or the question is empty.
    owners = prepared.owners if batcher.blank else range(len(texts))
    read = [len(row) > batcher.blank for row in prepared.rows] if batcher.blank else [*map(bool, prepared.questions)]
    if not all(read):
        raise BadQuestion(("texts", owners[read.index(False)]), _NOTHING)
    return prepared


def prepare_rows(batcher: Batcher, rows: Sequence[Mapping[str, Any]]) -> Prepared:
    """Return the questions of some objects with what the model reads of them.

    Raises:
        BadQuestion: An object is no question.
    """
    kind = batcher.predictor.answers.questions
    questions = []
    for place, row in enumerate(rows):
        cells = [_read_cell(row, field, holds, place) for field, holds in kind.fields.items()]
        if other := next((name for name in row if name not in kind.fields), None):
            raise BadQuestion(("rows", place, other), f"Send {listed(kind.fields)} alone.")
        try:
            questions.append(batcher.predictor.fit(kind.read(cells)))
        except Unanswerable as error:
            field = list(kind.fields) if len(kind.fields) == 1 else []
            raise BadQuestion(("rows", place, *field), f"This is a question {error}. Correct it.") from None
    return batcher.predictor.prepare(questions)


def _read_cell(row: Mapping[str, Any], field: str, holds: Holds, place: int) -> Any:
    """Return a field of an object.

    Raises:
        BadQuestion: It is missing, or of another type, or no Unicode.
    """
    cell = row.get(field)
    parts = cell if holds == "texts" else [cell]
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise BadQuestion(("rows", place, field), f"Send {_WANTED[holds]}.")
    if any(SURROGATES.search(part) for part in parts):
        raise BadQuestion(("rows", place, field), _NO_UNICODE)
    if holds != "bytes":
        return cell
    try:
        return base64.b64decode(parts[0], validate=True)
    except ValueError:
        raise BadQuestion(("rows", place, field), f"Send {_WANTED[holds]}.") from None


async def _wait(future: "asyncio.Future[Any]", gone: "asyncio.Future[Any]", deadline: float) -> None:
    remaining = max(0.0, deadline - time.monotonic())
    done, _ = await asyncio.wait({future, gone}, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
    if future not in done:
        raise ClientGone if gone in done else DeadlinePassed
