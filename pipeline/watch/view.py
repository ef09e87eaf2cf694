"""The view that a model has of texts: their tokens, what it cannot see of them, and its answers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding

from pipeline.calibration.decision import decide
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.models.coverage import find_unknown
from pipeline.models.tokenizer import CHARS_PER_TOKEN
from pipeline.predict.logits import ModelRows, compute_in_batches, softmax
from pipeline.predict.predictor import Predictor

Flags = npt.NDArray[np.bool_]


class View(NamedTuple):
    """What a model sees and says of N texts.

    Args:
        ids: Their token ids, cut.
        lengths: Tokens read, special ones included, (N,).
        cut: Whether a text is longer than what is read, (N,).
        characters: Characters read, blanks left out, (N,).
        lost: Those of them that the tokenizer does not know, (N,).
        probabilities: Of the classes, (N, C).
        answers: Class index answered, (N,).
        unsure: Whether the answer is unsure, (N,).
    """

    ids: ModelRows
    lengths: Ints
    cut: Flags
    characters: Ints
    lost: Ints
    probabilities: Floats
    answers: Ints
    unsure: Flags


def view_texts(predictor: Predictor, texts: Sequence[str]) -> View:
    """Return what a predictor sees and says of texts in their normal form."""
    most = predictor.max_length * CHARS_PER_TOKEN
    encodings = predictor.tokenizer.encode_batch([text[:most] for text in texts])
    ids = [encoding.ids for encoding in encodings]
    unknown = find_unknown(predictor.tokenizer)
    sizes = [_count_characters(encoding, unknown) for encoding in encodings]
    probabilities = compute_probabilities(predictor, ids)
    answers, unsure = decide(probabilities, predictor.labels, predictor.decision)
    return View(
        ids=ids,
        lengths=np.fromiter(map(len, ids), np.int64, len(ids)),
        cut=np.array([len(text) > most or bool(own.overflowing) for text, own in zip(texts, encodings, strict=True)]),
        characters=np.array([read for read, _ in sizes], np.int64),
        lost=np.array([lost for _, lost in sizes], np.int64),
        probabilities=probabilities,
        answers=np.array([predictor.labels.index(answer) for answer in answers], np.int64),
        unsure=unsure,
    )


def compute_probabilities(predictor: Predictor, ids: ModelRows) -> Floats:
    """Return the class probabilities of token ids, (N, C); rows of near-equal length are computed together."""
    classes = len(predictor.labels)
    return softmax(compute_in_batches(predictor.compute, ids, classes=classes, collate=predictor.collate))


def _count_characters(encoding: Encoding, unknown: int | None) -> tuple[int, int]:
    """Return the characters behind the tokens of a text, and those behind unknown ones."""
    sizes = [end - start for start, end in encoding.offsets]
    return sum(sizes), sum(size for size, token in zip(sizes, encoding.ids, strict=True) if token == unknown)
