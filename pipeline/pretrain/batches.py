"""Stretches of a corpus as a model reads them: drawn anew each epoch, masked, planned into batches."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.models.batches import Indices, Ragged, plan
from pipeline.pretrain.masking import IGNORED, Mix, Words, mask
from pipeline.pretrain.pairs import HIDE, NO_PAIR, ORDER, Instances, Layout, instances
from pipeline.settings.pretrain import PretrainParams
from pipeline.train.objective import Plan, Step

# The epoch whose draws measure: none that trains comes so far.
MEASURED = 2**31


class Corpus(NamedTuple):
    """The documents of one split: their tokens end to end, where they lie, and what masking knows of the words."""

    tokens: np.ndarray[tuple[int], np.dtype[np.int32]]
    layout: Layout
    ids: Sequence[str]
    words: Words
    first: int
    last: int
    keeper: dict[int, Instances]


class Batch(NamedTuple):
    """What the model reads of some examples, on the CPU: masked tokens, labels beside them, and one of each pair."""

    tokens: Ragged
    labels: Indices
    pairs: Indices


def drawn(corpus: Corpus, params: PretrainParams, epoch: int) -> Instances:
    """Return the examples of an epoch; the last two epochs are kept."""
    if epoch not in corpus.keeper:
        room = params.max_length - (2 if params.pair == "none" else 3)
        found = instances(corpus.layout, params.pair, room=room, short=params.short, seed=params.seed, epoch=epoch)
        for old in list(corpus.keeper)[:-1]:
            del corpus.keeper[old]
        corpus.keeper[epoch] = found
    return corpus.keeper[epoch]


def lengths(found: Instances) -> Indices:
    """Return the tokens of each example, special ones included, (N,) int64."""
    a0, a1, b0, b1 = found.spans.T
    a, b = a1 - a0, b1 - b0
    total: Indices = a + b + np.where(b > 0, 3, 2)
    return total


def plan_steps(train: Corpus, params: PretrainParams) -> Sequence[Step]:
    """Return every update: `steps` of them, over as many epochs as that takes; evaluations are spread evenly over all.

    The rows of a step are those of the examples of its epoch.
    """
    marks = {math.ceil(params.steps * part / params.evaluations) for part in range(1, params.evaluations + 1)}

    def draw(epoch: int, done: int) -> list[Step]:
        batches = plan(
            lengths(drawn(train, params, epoch)),
            batch_tokens=params.batch_tokens,
            batch_size=params.batch_tokens,
            rng=np.random.default_rng([ORDER, params.seed, epoch]),
        )
        starts = range(0, len(batches), params.accumulate)
        updates = [tuple(batches[start : start + params.accumulate]) for start in starts]
        return [
            Step(done + index, parts, epoch + index / len(updates), done + index in marks)
            for index, parts in enumerate(updates, start=1)
        ]

    return Plan(draw, steps=params.steps)


def batch(corpus: Corpus, params: PretrainParams, epoch: int, rows: Indices) -> Batch:
    """Return examples of an epoch, masked: what is hidden of one depends on (seed, epoch, example) alone."""
    found, mix = drawn(corpus, params, epoch), Mix(params.unit, params.share, params.masked, params.random)
    read, labels, types = [], [], []
    first, last = np.array([corpus.first], np.int32), np.array([corpus.last], np.int32)
    for row in rows:
        a0, a1, b0, b1 = found.spans[row]
        second = (corpus.tokens[b0:b1], last) if b1 > b0 else ()
        tokens = np.concatenate((first, corpus.tokens[a0:a1], last, *second))
        rng = np.random.default_rng([HIDE, params.seed, epoch, int(row)])
        masked, label = mask(tokens, corpus.words, mix, rng)
        read.append(masked)
        labels.append(label)
        types.append(np.repeat(np.array([0, 1], np.int32), (a1 - a0 + 2, len(tokens) - (a1 - a0 + 2))))
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in read])]).astype(np.int64)
    pair = np.concatenate(types) if params.pair != "none" else None
    return Batch(Ragged(np.concatenate(read), offsets, pair), np.concatenate(labels), found.labels[rows])


def chance(train: Corpus, held: Corpus, params: PretrainParams) -> dict[str, float | None]:
    """Return what the held-out numbers would be by the frequencies of tokens and of pairs alone."""
    counts = np.bincount(train.tokens, minlength=len(train.words.begins)).astype(np.float64) + 1
    share = counts / counts.sum()
    found = drawn(held, params, MEASURED)
    given = batch(held, params, MEASURED, np.arange(len(found.labels)))
    hidden = given.labels[given.labels != IGNORED]
    known = found.labels[found.labels != NO_PAIR]
    return {
        "perplexity": float(np.exp(-np.log(share[hidden]).mean())),
        "accuracy": float((hidden == counts.argmax()).mean()),
        "pair_accuracy": float(max((known == 0).mean(), (known == 1).mean())) if len(known) else None,
    }
