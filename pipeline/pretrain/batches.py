"""Masked batches of a corpus, planned into updates; instances are drawn again each epoch."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.models.batches import Ragged
from pipeline.models.batching import Indices, plan_batches
from pipeline.pretrain.masking import IGNORED, Mix, Tokens, mask
from pipeline.pretrain.pairs import HIDE, NO_PAIR, ORDER, CorpusLayout, Instances, draw_instances
from pipeline.pretrain.vocabulary import Vocabulary
from pipeline.settings.pretrain import PretrainParams
from pipeline.train.objective import Plan, Step

HELD_OUT_EPOCH = 2**31  # the epoch that evaluations draw; training never reaches it


class Corpus(NamedTuple):
    """The documents of one split: their tokens end to end, their places and ids, and the vocabulary.

    `drawn` caches the instances of an epoch.
    """

    tokens: Tokens
    layout: CorpusLayout
    ids: Sequence[str]
    vocabulary: Vocabulary
    drawn: dict[int, Instances]


class Batch(NamedTuple):
    """N instances as the model reads them, on the CPU: masked tokens, the label of each, that of each pair (N,)."""

    tokens: Ragged
    labels: Indices
    pairs: Indices


def draw_epoch(corpus: Corpus, params: PretrainParams, epoch: int) -> Instances:
    """Return the instances of an epoch; those of the last two epochs are cached."""
    if epoch not in corpus.drawn:
        room = params.max_length - (2 if params.pair == "none" else 3)
        drawn = draw_instances(corpus.layout, params.pair, room=room, short=params.short, seed=params.seed, epoch=epoch)
        for old in list(corpus.drawn)[:-1]:
            del corpus.drawn[old]
        corpus.drawn[epoch] = drawn
    return corpus.drawn[epoch]


def count_tokens(instances: Instances) -> Indices:
    """Return the number of tokens of each instance, special tokens included, (N,) int64."""
    a0, a1, b0, b1 = instances.spans.T
    a, b = a1 - a0, b1 - b0
    counts: Indices = a + b + np.where(b > 0, 3, 2)
    return counts


def plan_updates(train: Corpus, params: PretrainParams) -> Sequence[Step]:
    """Return every update: `steps` in all, over as many epochs as needed; evaluations are spread evenly over all.

    The rows of a step are instances of its epoch.
    """
    marks = {math.ceil(params.steps * part / params.evaluations) for part in range(1, params.evaluations + 1)}

    def draw(epoch: int, done: int) -> list[Step]:
        batches = plan_batches(
            count_tokens(draw_epoch(train, params, epoch)),
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


def build_batch(corpus: Corpus, params: PretrainParams, epoch: int, rows: Indices) -> Batch:
    """Return instances of an epoch, masked; the masks of one depend on (seed, epoch, its number) alone."""
    instances, mix = draw_epoch(corpus, params, epoch), Mix(params.unit, params.share, params.masked, params.random)
    tokens, labels, types = [], [], []
    for row in rows:
        a0, a1, b0, b1 = instances.spans[row]
        texts = [corpus.tokens[a0:a1], *([corpus.tokens[b0:b1]] if b1 > b0 else [])]
        rng = np.random.default_rng([HIDE, params.seed, epoch, int(row)])
        instance = join_texts(texts, corpus.vocabulary)
        read, label = mask(instance, corpus.vocabulary, mix, rng)
        tokens.append(read)
        labels.append(label)
        types.append(np.repeat(np.array([0, 1], np.int32), (a1 - a0 + 2, len(instance) - (a1 - a0 + 2))))
    pair = np.concatenate(types) if params.pair != "none" else None
    return Batch(pack(tokens, pair), np.concatenate(labels), instances.labels[rows])


def join_texts(texts: Sequence[Tokens], vocabulary: Vocabulary) -> Tokens:
    """Return one or two texts as one sequence: the first special token, and the last one after each text."""
    first, last = (np.array([index], np.int32) for index in (vocabulary.first, vocabulary.last))
    return np.concatenate((first, *(part for text in texts for part in (text, last))))


def pack(sequences: Sequence[Tokens], types: Tokens | None = None) -> Ragged:
    """Return sequences of token ids end to end, with the segment of each token, if any."""
    offsets = np.concatenate([[0], np.cumsum([len(sequence) for sequence in sequences])]).astype(np.int64)
    return Ragged(np.concatenate(sequences), offsets, types)


def chance_metrics(train: Corpus, held_out: Corpus, params: PretrainParams) -> dict[str, float | None]:
    """Return the held-out metrics that the frequencies of tokens and of pair labels alone would reach."""
    counts = np.bincount(train.tokens, minlength=len(train.vocabulary.begins)).astype(np.float64) + 1
    share = counts / counts.sum()
    instances = draw_epoch(held_out, params, HELD_OUT_EPOCH)
    batch = build_batch(held_out, params, HELD_OUT_EPOCH, np.arange(len(instances.labels)))
    hidden = batch.labels[batch.labels != IGNORED]
    pairs = instances.labels[instances.labels != NO_PAIR]
    return {
        "perplexity": float(np.exp(-np.log(share[hidden]).mean())),
        "accuracy": float((hidden == counts.argmax()).mean()),
        "pair_accuracy": float(max((pairs == 0).mean(), (pairs == 1).mean())) if len(pairs) else None,
    }
