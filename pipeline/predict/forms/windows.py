"""Windows of texts as rows: nothing of a text is cut, and the mean of the logits of its windows answers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from pipeline.examples.text import normalise
from pipeline.models.tokenizer import load_tokenizer
from pipeline.predict.kind import Answers, OutputNames
from pipeline.predict.questions import TEXT_QUESTIONS, Prepared

_ENCODED = 256  # texts at a time: what the tokenizer says of a window is large


def average_rows(logits: npt.NDArray[Any], owners: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean of the rows of each owner, (N, C), of logits (R, C); `owners` (R,) rise, and leave none out."""
    places = np.asarray(owners, np.int64)
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    sums = np.add.reduceat(np.asarray(logits, np.float64), starts, axis=0)
    return np.asarray(sums / np.diff(starts, append=len(places))[:, None])


def answer_by_windows(answers: Answers, stride: int) -> Answers:
    """Return how a model of a kind answers that reads texts in windows, of which neighbours share `stride` tokens.

    The outputs of a row are then its logits, and only those of a text are what the kind makes of them.
    """

    def join(rows: Any, prepared: Prepared) -> Any:
        return answers.activate(average_rows(rows, prepared.owners)) if len(rows) else answers.join(rows, prepared)

    def differ(outputs: Any, others: Any, labels: OutputNames, decision: Any) -> npt.NDArray[np.bool_]:
        return answers.differ(answers.activate(outputs), answers.activate(others), labels, decision)

    return answers._replace(
        questions=TEXT_QUESTIONS._replace(
            open=partial(_open, stride=stride), fit=lambda _tokenizer, _max_length, text: text, prepare=_prepare
        ),
        activate=lambda logits: logits.astype(np.float64),
        join=join,
        differ=differ,
    )


def _open(folder: Path, max_length: int, *, stride: int) -> Tokenizer:
    tokenizer = load_tokenizer(folder, max_length=max_length)
    tokenizer.enable_truncation(max_length, stride=stride)
    return tokenizer


def _prepare(tokenizer: Tokenizer, _max_length: int, texts: Sequence[str]) -> Prepared:
    """Return texts, put into their normal form, with the windows of each."""
    ids, owners = list[Any](), list[int]()
    for first in range(0, len(texts), _ENCODED):
        part = [normalise(text) for text in texts[first : first + _ENCODED]]
        for owner, encoding in enumerate(tokenizer.encode_batch(part), first):
            windows = [encoding, *encoding.overflowing]
            ids += [np.array(window.ids, np.int32) for window in windows]
            owners += [owner] * len(windows)
    return Prepared(texts, ids, owners, ())
