"""Which stretches of a corpus are examples: single ones, or pairs for NSP and SOP; each document by its own generator.

The tokens of a document lie end to end, so an example is four bounds and no token is copied.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.models.batches import Indices

Spans = np.ndarray[tuple[int, int], np.dtype[np.int64]]

# What a generator of pretraining is for, before its seed: numpy ignores zeros at the end, so [7, 3] is [7, 3, 0] to it.
DRAW, ORDER, HIDE = 1, 2, 3
NO_PAIR = -100  # the label of an example that is no pair, as the losses ignore it


class Layout(NamedTuple):
    """Where sentences and documents lie among the tokens of a corpus.

    Sentence i is tokens `sentences[i]` to `sentences[i + 1]`, document d is sentences `documents[d]` to `documents[d +
    1]`; both rise from 0.
    """

    sentences: Indices
    documents: Indices


class Instances(NamedTuple):
    """Examples (N, 4): the first text is tokens `spans[:, 0]` to `spans[:, 1]`, the second, if any, the other two.

    `labels` (N,) are 0 where B follows A (NSP) or the order is the original one (SOP), 1 where B is random or the order
    is swapped, and `NO_PAIR`. `owners` (N,) is the document of A.
    """

    spans: Spans
    labels: Indices
    owners: Indices


Made = list[tuple[int, int, int, int, int]]


def singles(layout: Layout, document: int, *, room: int, short: float, rng: np.random.Generator) -> Made:  # noqa: ARG001
    """Return a document cut into stretches of `room` tokens, from a place that is drawn, so that no token is left out.

    As DOC-SENTENCES of Liu et al. 2019, RoBERTa, section 4.2, they never cross a document; unlike these they are cut
    between tokens, also inside a sentence, so that all but the two at the ends are full.
    """
    first, last = (int(layout.sentences[place]) for place in layout.documents[document : document + 2])
    start = first - (int(rng.integers(room)) if last - first > room else 0)
    cuts = [max(first, cut) for cut in range(start, last, room)] + [last]
    return [(a, b, b, b, NO_PAIR) for a, b in itertools.pairwise(cuts) if b > a]


def next_sentence(layout: Layout, document: int, *, room: int, short: float, rng: np.random.Generator) -> Made:
    """Return the pairs of a document: B is what follows A, or, half the time, from another document.

    `room` tokens are left for both texts. With probability `short` the document is cut into shorter pairs. What a
    random B takes the place of is used again. There are two documents at least: one of its own is never called random,
    where the published code takes it after ten draws.

    Source: Devlin et al. 2019, BERT, appendix A.2, and create_instances_from_document of its published code.
    """
    return _pairs(layout, document, room, short, rng, swap=False)


def sentence_order(layout: Layout, document: int, *, room: int, short: float, rng: np.random.Generator) -> Made:
    """Return the pairs of a document: two stretches that follow each other, half the time in swapped order.

    A sentence that is alone has no order: it is kept for its words, without a label, where ALBERT's published code
    gives it a random second one.

    Source: Lan et al. 2020, ALBERT, section 3.1, and create_instances_from_document of its published code.
    """
    return _pairs(layout, document, room, short, rng, swap=True)


def _pairs(layout: Layout, document: int, room: int, short: float, rng: np.random.Generator, *, swap: bool) -> Made:
    first, last = (int(place) for place in layout.documents[document : document + 2])
    bounds = layout.sentences[first : last + 1].tolist()
    target = int(rng.integers(2, room + 1)) if rng.random() < short else room
    made: Made = []
    place, begin = 0, 0
    while place < last - first:
        if place == last - first - 1 or bounds[place + 1] - bounds[begin] >= target:
            count = place + 1 - begin
            cut = begin + (int(rng.integers(1, count)) if count >= 2 else 1)
            a = (bounds[begin], bounds[cut])
            if swap and count == 1:
                made.append((*_cut(a, (a[1], a[1]), room, rng), NO_PAIR))
            elif swap:
                b, changed = (bounds[cut], bounds[place + 1]), bool(rng.random() < 0.5)
                made.append((*_cut(*((b, a) if changed else (a, b)), room, rng), int(changed)))
            elif count == 1 or rng.random() < 0.5:
                b = _elsewhere(layout, document, target - (a[1] - a[0]), rng)
                made.append((*_cut(a, b, room, rng), 1))
                place = cut - 1
            else:
                made.append((*_cut(a, (bounds[cut], bounds[place + 1]), room, rng), 0))
            begin = place + 1
        place += 1
    return made


def _elsewhere(layout: Layout, document: int, wanted: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return tokens of another document: whole sentences from a drawn one on, until there are `wanted` tokens."""
    count = len(layout.documents) - 1
    other = (document + 1 + int(rng.integers(count - 1))) % count
    first, last = (int(place) for place in layout.documents[other : other + 2])
    start = int(rng.integers(first, last))
    begin = int(layout.sentences[start])
    stop = start + 1 + int(np.searchsorted(layout.sentences[start + 1 : last], begin + wanted))
    return begin, int(layout.sentences[stop])


def _cut(a: tuple[int, int], b: tuple[int, int], room: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Return two stretches without what is too much: a token at a time from the longer one, at a drawn end."""
    (a0, a1), (b0, b1) = a, b
    for front in rng.random(max(0, a1 - a0 + b1 - b0 - room)) < 0.5:
        if a1 - a0 > b1 - b0:
            a0, a1 = (a0 + 1, a1) if front else (a0, a1 - 1)
        else:
            b0, b1 = (b0 + 1, b1) if front else (b0, b1 - 1)
    return a0, a1, b0, b1


PAIRS: dict[str, Callable[..., Made]] = {"none": singles, "nsp": next_sentence, "sop": sentence_order}


def instances(layout: Layout, kind: str, *, room: int, short: float, seed: int, epoch: int) -> Instances:
    """Return the examples of an epoch; those of a document depend on (seed, epoch, document) and the corpus alone."""
    spans: Made = []
    owners: list[int] = []
    for document in range(len(layout.documents) - 1):
        rng = np.random.default_rng([DRAW, seed, epoch, document])
        made = PAIRS[kind](layout, document, room=room, short=short, rng=rng)
        spans += made
        owners += [document] * len(made)
    table = np.array(spans, np.int64).reshape(-1, 5)
    return Instances(table[:, :4], table[:, 4], np.array(owners, np.int64))
