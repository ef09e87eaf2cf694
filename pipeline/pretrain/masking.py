"""What is hidden of an example, and by what: masked language modelling as a function of (example, generator)."""

from typing import Literal, NamedTuple

import numpy as np

from pipeline.models.batches import Indices

Tokens = np.ndarray[tuple[int], np.dtype[np.int32]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

IGNORED = -100  # the label of a token that is not predicted, as the losses ignore it
# SpanBERT's spans: 1 to 10 words, geometric with p = 0.2 among these; 3.8 on average.
SPAN_CHANCES = np.cumsum(0.8 ** np.arange(10)) / np.sum(0.8 ** np.arange(10))


class Words(NamedTuple):
    """What masking knows of a vocabulary of V: the ids of special tokens, ordinary ids, and (V,) which begin a word."""

    mask: int
    special: Indices
    ordinary: Indices
    begins: Flags


class Mix(NamedTuple):
    """How much is predicted, in which units, and what stands in its place: a mask, a random token, else the token."""

    unit: Literal["token", "word", "span"]
    share: float
    masked: float
    random: float


def mask(tokens: Tokens, words: Words, mix: Mix, rng: np.random.Generator) -> tuple[Tokens, Indices]:
    """Return what the model reads, and the labels (T,) int64: the token where one is predicted, else `IGNORED`.

    One in `1 / share` tokens, counted with the special ones as in BERT, and one at least; never a special token, nor
    one in the place of another, where BERT draws from the whole vocabulary.

    Source: Devlin et al. 2019, BERT, section 3.1 and appendix A.1; its code's `whole_word_mask`; Joshi et al. 2020,
    SpanBERT, section 3.1, where a whole span meets one fate.
    """
    ordinary = np.flatnonzero(~np.isin(tokens, words.special))
    budget = min(len(ordinary), max(1, round(len(tokens) * mix.share)))
    labels = np.full(len(tokens), IGNORED, np.int64)
    if not budget:
        return tokens, labels
    groups = CHOOSE[mix.unit](tokens, ordinary, words, budget, rng)
    places = np.concatenate(groups)
    fates = rng.random(len(groups) if mix.unit == "span" else len(places))
    fate = np.repeat(fates, [len(group) for group in groups]) if mix.unit == "span" else fates
    drawn = words.ordinary[rng.integers(len(words.ordinary), size=len(places))]
    kept = tokens[places]
    read = tokens.copy()
    read[places] = np.where(fate < mix.masked, words.mask, np.where(fate < mix.masked + mix.random, drawn, kept))
    labels[places] = kept
    return read, labels


def _single(
    tokens: Tokens,  # noqa: ARG001
    ordinary: Indices,
    words: Words,  # noqa: ARG001
    budget: int,
    rng: np.random.Generator,
) -> list[Indices]:
    return [rng.permutation(ordinary)[:budget]]


def _whole(tokens: Tokens, ordinary: Indices, words: Words, budget: int, rng: np.random.Generator) -> list[Indices]:
    """Return whole words in drawn order; one that is too long for what is left is passed over."""
    found = _words(tokens, ordinary, words)
    chosen: list[Indices] = []
    left = budget
    for place in rng.permutation(len(found)):
        if len(found[place]) <= left:
            chosen.append(found[place])
            left -= len(found[place])
        if not left:
            break
    return chosen or [found[int(rng.integers(len(found)))][:budget]]


def _spans(tokens: Tokens, ordinary: Indices, words: Words, budget: int, rng: np.random.Generator) -> list[Indices]:
    """Return spans of whole words, drawn until the budget is spent; a special token and that budget cut them."""
    found = _words(tokens, ordinary, words)
    free = np.zeros(len(tokens), bool)
    free[ordinary] = True
    chosen: list[Indices] = []
    left = budget
    while left:
        length = 1 + int(np.searchsorted(SPAN_CHANCES, rng.random(), side="right"))
        start = int(rng.integers(len(found)))
        span = np.concatenate(found[start : start + length])
        span = span[: 1 + int(np.argmax(np.diff(span, append=-1) != 1))]
        span = span[free[span]][:left]
        if len(span):
            free[span] = False
            chosen.append(span)
            left -= len(span)
    return chosen


def _words(tokens: Tokens, ordinary: Indices, words: Words) -> list[Indices]:
    """Return the places of each word: a token that begins one, and those behind it that do not."""
    broken = np.diff(ordinary, prepend=-2) != 1  # what follows a special token begins a word
    starts = np.flatnonzero(words.begins[tokens[ordinary]] | broken)
    return np.split(ordinary, starts[1:])


CHOOSE = {"token": _single, "word": _whole, "span": _spans}
