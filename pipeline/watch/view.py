"""The view that a model has of texts: their tokens, what it cannot see of them, and its answers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding

from pipeline.calibration.decision import decide
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.models.coverage import find_unknown
from pipeline.predict.predictor import Predictor
from pipeline.predict.questions import Prepared

Flags = npt.NDArray[np.bool_]


class View(NamedTuple):
    """What a model sees and says of N texts.

    Args:
        prepared: They with their token ids, cut, or those of their windows.
        lengths: Tokens read, special ones included, (N,).
        cut: Whether a text is longer than what is read, (N,).
        characters: Characters read, blanks left out, (N,).
        lost: Those of them that the tokenizer does not know, (N,).
        probabilities: Of the classes, (N, C).
        answers: Class index answered, (N,).
        unsure: Whether the answer is unsure, (N,).
    """

    prepared: Prepared
    lengths: Ints
    cut: Flags
    characters: Ints
    lost: Ints
    probabilities: Floats
    answers: Ints
    unsure: Flags


def view_texts(predictor: Predictor, texts: Sequence[Any]) -> View:
    """Return what a predictor sees and says of texts, or pairs of them, in their normal form."""
    fitted, prepared = [predictor.fit(text) for text in texts], predictor.prepare(texts)
    rows = np.bincount(prepared.owners, minlength=len(texts)).tolist()
    encodings = [[whole, *whole.overflowing] for whole in predictor.tokenizer.encode_batch(fitted)]
    read = [own[:count] for own, count in zip(encodings, rows, strict=True)]
    unknown = find_unknown(predictor.tokenizer)
    sizes = [_count_characters(own, unknown) for own in read]
    probabilities = compute_probabilities(predictor, prepared)
    answers, unsure = decide(probabilities, predictor.labels, predictor.decision)
    return View(
        prepared=prepared,
        lengths=np.array([sum(map(len, own)) for own in read], np.int64),
        cut=np.array(
            [
                text != part or len(own) > count
                for text, part, own, count in zip(texts, fitted, encodings, rows, strict=True)
            ]
        ),
        characters=np.array([read for read, _ in sizes], np.int64),
        lost=np.array([lost for _, lost in sizes], np.int64),
        probabilities=probabilities,
        answers=np.array([predictor.labels.index(answer) for answer in answers], np.int64),
        unsure=unsure,
    )


def compute_probabilities(predictor: Predictor, prepared: Prepared) -> Floats:
    """Return the class probabilities of texts, (N, C); rows of near-equal length are computed together."""
    return np.asarray(predictor.answers.join(predictor.compute_outputs(prepared.rows), prepared), np.float64)


def _count_characters(encodings: Sequence[Encoding], unknown: int | None) -> tuple[int, int]:
    """Return the characters behind the tokens of a text, and those behind unknown ones."""
    sizes = [
        (end - start, token) for own in encodings for (start, end), token in zip(own.offsets, own.ids, strict=True)
    ]
    return sum(size for size, _ in sizes), sum(size for size, token in sizes if token == unknown)
