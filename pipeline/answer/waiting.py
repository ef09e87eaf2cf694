"""Waiting for a model's answer: until it is there, too late, or nobody waits any more."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from pipeline.answer.batcher import Batcher, Job, Probabilities
from pipeline.examples.text import SURROGATES


class DeadlinePassed(Exception):
    """The answer did not come in the time that the client gave."""


class ClientGone(Exception):
    """The client has closed its connection."""


class BadText(Exception):
    """A text cannot be read; `place` is its index, and the message says what to send instead."""

    def __init__(self, place: int, message: str) -> None:
        """Say which, and why."""
        super().__init__(message)
        self.place = place


async def ask(
    batcher: Batcher, texts: Sequence[str], *, seconds: float, gone: "asyncio.Future[Any]"
) -> tuple[Probabilities, int]:
    """Return the probabilities of the texts, (N, C), and the number of their tokens.

    What is not computed when `seconds` have passed, or `gone` is done, never will be.

    Raises:
        Overloaded: Too much waits already.
        BadText: A text is no Unicode, or holds nothing to read.
        DeadlinePassed: The time is over.
        ClientGone: `gone` came first.
    """
    deadline = time.monotonic() + seconds
    batcher.require_room()  # before any work
    batcher.users += 1
    try:
        ids = await asyncio.to_thread(encode_texts, batcher, texts)
        job = Job(ids, deadline=deadline)
        batcher.submit(job)
        try:
            await _wait(job, gone)
        finally:
            job.abandoned = True
        return job.answered.result(), sum(map(len, ids))
    finally:
        batcher.users -= 1


def encode_texts(batcher: Batcher, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of texts.

    Raises:
        BadText: A text is no Unicode, or holds nothing to read.
    """
    for place, text in enumerate(texts):
        if SURROGATES.search(text):  # as JSON may spell them
            raise BadText(place, "Send Unicode, without lone surrogates.")
    ids = batcher.predictor.encode(texts)
    for place, row in enumerate(ids):
        if len(row) <= batcher.blank:
            raise BadText(place, "Send a text with visible characters.")
    return ids


async def _wait(job: Job, gone: "asyncio.Future[Any]") -> None:
    remaining = max(0.0, job.deadline - time.monotonic())
    done, _ = await asyncio.wait({job.answered, gone}, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
    if job.answered not in done:
        raise ClientGone if gone in done else DeadlinePassed
