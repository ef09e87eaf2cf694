"""Masked language modelling: an example and a generator -> what the model reads, and the labels."""

from typing import Literal, NamedTuple

import numpy as np

from pipeline.models.batching import Indices
from pipeline.pretrain.vocabulary import Vocabulary

Tokens = np.ndarray[tuple[int], np.dtype[np.int32]]

IGNORED = -100  # label of a token that is not predicted; the losses ignore it
# SpanBERT's spans: 1 to 10 words, geometric with p = 0.2 within these; 3.8 on average.
SPAN_CHANCES = np.cumsum(0.8 ** np.arange(10)) / np.sum(0.8 ** np.arange(10))


class Mix(NamedTuple):
    """The share of tokens to predict, in which units, and the shares of these read as the mask or a random token.

    The rest of these is read unchanged.
    """

    unit: Literal["token", "word", "span"]
    share: float
    masked: float
    random: float


def mask(tokens: Tokens, vocabulary: Vocabulary, mix: Mix, rng: np.random.Generator) -> tuple[Tokens, Indices]:
    """Return what the model reads, (T,) int32, and the labels, (T,) int64: a predicted token, else `IGNORED`.

    One token in `1 / share` is predicted, counted with the special tokens as in BERT, and at least one. A special token
    is never predicted nor put in the place of another, whereas BERT draws from the whole vocabulary.

    Source: Devlin et al. 2019, BERT, section 3.1 and appendix A.1; its code's `whole_word_mask`; Joshi et al. 2020,
    SpanBERT, section 3.1: the tokens of a span are replaced together.
    """
    ordinary = np.flatnonzero(~np.isin(tokens, vocabulary.special))
    budget = min(len(ordinary), max(1, round(len(tokens) * mix.share)))
    labels = np.full(len(tokens), IGNORED, np.int64)
    if not budget:
        return tokens, labels
    groups = CHOOSE[mix.unit](tokens, ordinary, vocabulary, budget, rng)
    places = np.concatenate(groups)
    draws = rng.random(len(groups) if mix.unit == "span" else len(places))
    draws = np.repeat(draws, [len(group) for group in groups]) if mix.unit == "span" else draws
    others = vocabulary.ordinary[rng.integers(len(vocabulary.ordinary), size=len(places))]
    originals = tokens[places]
    masked, random = draws < mix.masked, draws < mix.masked + mix.random
    read = tokens.copy()
    read[places] = np.where(masked, vocabulary.mask, np.where(random, others, originals))
    labels[places] = originals
    return read, labels


def _choose_tokens(
    tokens: Tokens,  # noqa: ARG001
    ordinary: Indices,
    vocabulary: Vocabulary,  # noqa: ARG001
    budget: int,
    rng: np.random.Generator,
) -> list[Indices]:
    return [rng.permutation(ordinary)[:budget]]


def _choose_words(
    tokens: Tokens, ordinary: Indices, vocabulary: Vocabulary, budget: int, rng: np.random.Generator
) -> list[Indices]:
    """Return whole words in random order; a word longer than what is left of the budget is skipped."""
    words = _split_words(tokens, ordinary, vocabulary)
    chosen: list[Indices] = []
    left = budget
    for place in rng.permutation(len(words)):
        if len(words[place]) <= left:
            chosen.append(words[place])
            left -= len(words[place])
        if not left:
            break
    return chosen or [words[int(rng.integers(len(words)))][:budget]]


def _choose_spans(
    tokens: Tokens, ordinary: Indices, vocabulary: Vocabulary, budget: int, rng: np.random.Generator
) -> list[Indices]:
    """Return spans of whole words until the budget is spent; a special token or the end of the budget cuts a span."""
    words = _split_words(tokens, ordinary, vocabulary)
    free = np.zeros(len(tokens), bool)
    free[ordinary] = True
    chosen: list[Indices] = []
    left = budget
    while left:
        length = 1 + int(np.searchsorted(SPAN_CHANCES, rng.random(), side="right"))
        start = int(rng.integers(len(words)))
        span = np.concatenate(words[start : start + length])
        span = span[: 1 + int(np.argmax(np.diff(span, append=-1) != 1))]
        span = span[free[span]][:left]
        if len(span):
            free[span] = False
            chosen.append(span)
            left -= len(span)
    return chosen


def _split_words(tokens: Tokens, ordinary: Indices, vocabulary: Vocabulary) -> list[Indices]:
    """Return the places of each word: of a token that begins a word, and of those after it that do not."""
    after_special = np.diff(ordinary, prepend=-2) != 1  # such a token begins a word in any case
    starts = np.flatnonzero(vocabulary.begins[tokens[ordinary]] | after_special)
    return np.split(ordinary, starts[1:])


CHOOSE = {"token": _choose_tokens, "word": _choose_words, "span": _choose_spans}
