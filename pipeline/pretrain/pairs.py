"""Training instances of a corpus: single texts, or pairs for NSP and SOP; each document with its own generator.

The tokens of a document lie end to end, so an instance is four bounds and no token is copied.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.models.batching import Indices

Spans = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Bounds = list[tuple[int, int, int, int, int]]  # a row per instance: start and end of A, start and end of B, label

# The purpose of a generator, its first seed: numpy ignores zeros at the end, so [7, 3] and [7, 3, 0] are the same.
DRAW, ORDER, HIDE = 1, 2, 3
NO_PAIR = -100  # label of an instance that is not a pair; the losses ignore it


class CorpusLayout(NamedTuple):
    """The places of sentences and documents among the tokens of a corpus.

    Sentence i is tokens `sentences[i]` to `sentences[i + 1]`, document d is sentences `documents[d]` to `documents[d +
    1]`; both rise from 0.
    """

    sentences: Indices
    documents: Indices


class Instances(NamedTuple):
    """N instances: text A is tokens `spans[:, 0]` to `spans[:, 1]`, text B, if any, `spans[:, 2]` to `spans[:, 3]`.

    `labels` (N,) are 0 if B follows A (NSP) or the order is the original one (SOP), 1 if B is random or the order is
    swapped, else `NO_PAIR`. `owners` (N,) is the document of A.
    """

    spans: Spans
    labels: Indices
    owners: Indices


def cut_single_texts(
    layout: CorpusLayout,
    document: int,
    *,
    room: int,
    short: float,  # noqa: ARG001
    rng: np.random.Generator,
) -> Bounds:
    """Return a document cut into texts of `room` tokens from a random place on; no token is left out.

    Like DOC-SENTENCES of Liu et al. 2019, RoBERTa, section 4.2, a text never crosses documents. Unlike these it may end
    inside a sentence, so all texts but the first and the last are full.
    """
    first, last = (int(layout.sentences[place]) for place in layout.documents[document : document + 2])
    start = first - (int(rng.integers(room)) if last - first > room else 0)
    cuts = [max(first, cut) for cut in range(start, last, room)] + [last]
    return [(a, b, b, b, NO_PAIR) for a, b in itertools.pairwise(cuts) if b > a]


def draw_next_sentence_pairs(
    layout: CorpusLayout, document: int, *, room: int, short: float, rng: np.random.Generator
) -> Bounds:
    """Return the NSP pairs of a document: B is what follows A or, half the time, a text of another document.

    Both texts together have `room` tokens at most. With probability `short` the document is cut into shorter pairs. The
    sentences that a random B replaces are used again. The corpus needs two documents: a random B is never of the same
    document, whereas the published code allows it after ten draws.

    Source: Devlin et al. 2019, BERT, appendix A.2, and create_instances_from_document of its published code.
    """
    return _draw_pairs(layout, document, room, short, rng, swap=False)


def draw_sentence_order_pairs(
    layout: CorpusLayout, document: int, *, room: int, short: float, rng: np.random.Generator
) -> Bounds:
    """Return the SOP pairs of a document: two texts that follow each other, swapped half the time.

    A single sentence has no order: it is kept for its words, without a label, whereas ALBERT's published code gives it
    a random second text.

    Source: Lan et al. 2020, ALBERT, section 3.1, and create_instances_from_document of its published code.
    """
    return _draw_pairs(layout, document, room, short, rng, swap=True)


def _draw_pairs(
    layout: CorpusLayout, document: int, room: int, short: float, rng: np.random.Generator, *, swap: bool
) -> Bounds:
    first, last = (int(place) for place in layout.documents[document : document + 2])
    bounds = layout.sentences[first : last + 1].tolist()
    target = int(rng.integers(2, room + 1)) if rng.random() < short else room
    pairs: Bounds = []
    place, begin = 0, 0
    while place < last - first:
        if place == last - first - 1 or bounds[place + 1] - bounds[begin] >= target:
            count = place + 1 - begin
            cut = begin + (int(rng.integers(1, count)) if count >= 2 else 1)
            a = (bounds[begin], bounds[cut])
            if swap and count == 1:
                pairs.append((*_truncate(a, (a[1], a[1]), room, rng), NO_PAIR))
            elif swap:
                b, swapped = (bounds[cut], bounds[place + 1]), bool(rng.random() < 0.5)
                pairs.append((*_truncate(*((b, a) if swapped else (a, b)), room, rng), int(swapped)))
            elif count == 1 or rng.random() < 0.5:
                b = _draw_elsewhere(layout, document, target - (a[1] - a[0]), rng)
                pairs.append((*_truncate(a, b, room, rng), 1))
                place = cut - 1
            else:
                pairs.append((*_truncate(a, (bounds[cut], bounds[place + 1]), room, rng), 0))
            begin = place + 1
        place += 1
    return pairs


def _draw_elsewhere(layout: CorpusLayout, document: int, wanted: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return whole sentences of another document from a random one on, until there are `wanted` tokens."""
    count = len(layout.documents) - 1
    other = (document + 1 + int(rng.integers(count - 1))) % count
    first, last = (int(place) for place in layout.documents[other : other + 2])
    start = int(rng.integers(first, last))
    begin = int(layout.sentences[start])
    stop = start + 1 + int(np.searchsorted(layout.sentences[start + 1 : last], begin + wanted))
    return begin, int(layout.sentences[stop])


def _truncate(a: tuple[int, int], b: tuple[int, int], room: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Return both texts cut to `room` tokens: one token at a time from the longer text, at a random end."""
    (a0, a1), (b0, b1) = a, b
    for front in rng.random(max(0, a1 - a0 + b1 - b0 - room)) < 0.5:
        if a1 - a0 > b1 - b0:
            a0, a1 = (a0 + 1, a1) if front else (a0, a1 - 1)
        else:
            b0, b1 = (b0 + 1, b1) if front else (b0, b1 - 1)
    return a0, a1, b0, b1


PROCEDURES: dict[str, Callable[..., Bounds]] = {
    "none": cut_single_texts,
    "nsp": draw_next_sentence_pairs,
    "sop": draw_sentence_order_pairs,
}


def draw_instances(layout: CorpusLayout, pair: str, *, room: int, short: float, seed: int, epoch: int) -> Instances:
    """Return the instances of an epoch; those of a document depend on (seed, epoch, document) and the corpus alone."""
    bounds: Bounds = []
    owners: list[int] = []
    for document in range(len(layout.documents) - 1):
        rng = np.random.default_rng([DRAW, seed, epoch, document])
        drawn = PROCEDURES[pair](layout, document, room=room, short=short, rng=rng)
        bounds += drawn
        owners += [document] * len(drawn)
    table = np.array(bounds, np.int64).reshape(-1, 5)
    return Instances(table[:, :4], table[:, 4], np.array(owners, np.int64))
