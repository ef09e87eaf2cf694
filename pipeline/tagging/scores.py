"""Scores of tags: of the spans that they mark, strictly, and of the words, as counts of each sentence."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.document import Document
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.tagging.schemes import SpanMark, find_spans, is_bio, list_types


class ScoredTags(NamedTuple):
    """The counts of N sentences: of spans by type, (N, T) int64, of all spans, (N, 3), and of words, (N,).

    `matched` are the spans that are predicted with the same words and type as they are, `predicted` and `actual` all
    of either; `spans` are these three of all types together. `confidence` (N,) is the probability of the surest wrong
    word, 0.0 if there is none or it is not known.
    """

    matched: Ints
    predicted: Ints
    actual: Ints
    spans: Ints
    right_words: Ints
    words: Ints
    confidence: Floats
    types: tuple[str, ...]


def list_tagged_spans(tags: Sequence[str], *, bio: bool) -> list[SpanMark]:
    """Return the spans of a sentence; with plain tags each word is one."""
    return list(find_spans(tags)) if bio else [SpanMark(place, place + 1, tag) for place, tag in enumerate(tags)]


def count_tags(
    actual: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    confidence: Sequence[Sequence[float] | None],
    classes: Sequence[str],
) -> ScoredTags:
    """Return the counts of sentences of which the tags and the predicted ones are of equal length; see `ScoredTags`."""
    types, bio = list_types(classes), is_bio(classes)
    index = {kind: at for at, kind in enumerate(types)}
    counts = np.zeros((3, len(actual), len(types)), np.int64)
    right, sure = np.zeros(len(actual), np.int64), np.zeros(len(actual))
    for row, (truth, answer) in enumerate(zip(actual, predicted, strict=True)):
        there, said = (Counter(list_tagged_spans(tags, bio=bio)) for tags in (truth, answer))
        for part, spans in enumerate((there & said, said, there)):
            for span in spans:
                counts[part, row, index[span.type]] += 1
        wrong = [place for place, (one, other) in enumerate(zip(truth, answer, strict=True)) if one != other]
        right[row] = len(truth) - len(wrong)
        if (own := confidence[row]) is not None:
            sure[row] = max((own[place] for place in wrong), default=0.0)
    lengths = np.array([len(tags) for tags in actual], np.int64)
    matched, marked, wanted = counts
    return ScoredTags(matched, marked, wanted, counts.sum(axis=2).T, right, lengths, sure, types)


def compute_tag_metrics(scored: ScoredTags, weights: Floats) -> Floats:
    """Return (span F1, tag accuracy, sentence accuracy) of sentences that count `weights` times, (N,) >= 0, sum > 0.

    Span F1 is NaN if no span is there and none is predicted. With plain tags it is the accuracy.

    Source: Tjong Kim Sang and De Meulder 2003, Introduction to the CoNLL-2003 Shared Task; seqeval 1.2.2, strict mode.
    """
    matched, predicted, actual = np.sum(weights[:, None] * scored.spans, axis=0)
    whole = scored.right_words == scored.words
    return np.array(
        (
            2 * matched / (predicted + actual) if predicted + actual else np.nan,
            np.sum(weights * scored.right_words) / max(np.sum(weights * scored.words), 1e-300),
            np.sum(weights * whole) / np.sum(weights),
        )
    )


def find_flawless(scored: ScoredTags) -> npt.NDArray[np.bool_]:
    """Return whether all words of each sentence are right, (N,)."""
    flawless: npt.NDArray[np.bool_] = scored.right_words == scored.words
    return flawless


def tabulate_types(scored: ScoredTags) -> list[Document]:
    """Return precision, recall and F1 of each type of span, None where nothing is to divide by, and its spans."""
    matched, predicted, actual = (part.sum(axis=0).tolist() for part in scored[:3])
    return [
        {
            "label": kind,
            "precision": matched[at] / predicted[at] if predicted[at] else None,
            "recall": matched[at] / actual[at] if actual[at] else None,
            "f1": 2 * matched[at] / (predicted[at] + actual[at]) if predicted[at] + actual[at] else None,
            "support": actual[at],
        }
        for at, kind in enumerate(scored.types)
    ]
