"""The objective of pretraining: hidden words, and pairs of texts (next sentence or sentence order)."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.models.batching import Indices, plan_batches
from pipeline.models.device import Device
from pipeline.models.inference import collate
from pipeline.models.processes import ALONE, Ranks, share_batches, sum_over_ranks
from pipeline.pretrain.batches import (
    HELD_OUT_EPOCH,
    Batch,
    Corpus,
    build_batch,
    count_tokens,
    draw_epoch,
    join_texts,
    pack,
    plan_updates,
)  # fmt: skip
from pipeline.pretrain.losses import first_states, hidden_states, sum_losses
from pipeline.pretrain.masking import IGNORED
from pipeline.pretrain.pairs import NO_PAIR
from pipeline.settings.pretrain import PretrainParams
from pipeline.train.objective import Moment, Objective, Step


class HeldOutMetrics(NamedTuple):
    """An evaluation on the held-out documents after `step` updates; `loss` is the sum of word and pair loss.

    `perplexity` is e to the mean loss of the hidden words, `accuracy` the share of them predicted; `pair_loss` and
    `pair_accuracy` are None if no pairs are learned.
    """

    step: int
    epoch: float
    learning_rate: float
    train_loss: float
    loss: float
    word_loss: float
    perplexity: float
    accuracy: float
    pair_loss: float | None
    pair_accuracy: float | None


def _losses(
    model: PreTrainedModel,
    train: Corpus,
    prepared: None,  # noqa: ARG001
    step: Step,
    params: PretrainParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the loss of each micro-batch: the mean over the hidden words of the update, plus that over its pairs.

    Source: Devlin et al. 2019, BERT, appendix A.2: the sum of the two mean likelihoods.
    """
    epoch = math.ceil(step.epoch) - 1
    batches = [build_batch(train, params, epoch, rows) for rows in step.parts]
    counts = _count_terms(batches, params)
    for batch in batches:
        mine = np.arange(ranks.rank, len(batch.pairs), ranks.size)
        # More processes than instances: this one adds zeros, to the gradients of the same weights as the others.
        sums = sum_losses(model, batch, mine if len(mine) else np.arange(1), params, device)
        total = torch.zeros((), device=device.device)
        for loss, count in zip(sums.losses, counts, strict=True):
            total = total + loss * (1.0 / max(1, count) if len(mine) else 0.0)
        yield total


def _count_terms(batches: Sequence[Batch], params: PretrainParams) -> tuple[int, ...]:
    """Return the number of hidden words of an update and, if pairs are learned, that of its pairs."""
    words = sum(int((batch.labels != IGNORED).sum()) for batch in batches)
    pairs = sum(int((batch.pairs != NO_PAIR).sum()) for batch in batches)
    return (words,) if params.pair == "none" else (words, pairs)


def _measure(
    model: PreTrainedModel,
    held_out: Corpus,
    moment: Moment,
    params: PretrainParams,
    device: Device,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> HeldOutMetrics:
    """Return the metrics on the held-out documents: always the same instances with the same hidden words."""
    model.eval()
    lengths = count_tokens(draw_epoch(held_out, params, HELD_OUT_EPOCH))
    batches = plan_batches(lengths, batch_tokens=4 * params.batch_tokens, batch_size=10**6, rng=None)
    totals = torch.zeros(2, 3, dtype=torch.float64, device=device.device)
    with torch.inference_mode():
        for rows in share_batches(batches, ranks, go_on):
            batch = build_batch(held_out, params, HELD_OUT_EPOCH, rows)
            sums = sum_losses(model, batch, np.arange(len(rows)), params, device)
            for row, (loss, hits, count) in enumerate(zip(*sums, strict=True)):
                totals[row] += torch.stack([loss.double(), hits.double(), loss.new_tensor(count).double()])
    sum_over_ranks([totals], ranks)
    return _from_totals(moment, totals.tolist(), params)


def _from_totals(moment: Moment, totals: list[list[float]], params: PretrainParams) -> HeldOutMetrics:
    """Return the metrics of summed losses, hits and counts: a row of the words, one of the pairs."""
    means = [(loss / count, hits / count) if count else (0.0, 0.0) for loss, hits, count in totals]
    (word_loss, accuracy), pair = means
    paired = params.pair != "none"
    return HeldOutMetrics(
        *moment,
        loss=word_loss + pair[0],
        word_loss=word_loss,
        perplexity=math.exp(min(word_loss, 700.0)),
        accuracy=accuracy,
        pair_loss=pair[0] if paired else None,
        pair_accuracy=pair[1] if paired else None,
    )


def _describe(metrics: HeldOutMetrics) -> str:
    """Return an evaluation in words."""
    pair = "" if metrics.pair_accuracy is None else f", pair accuracy {metrics.pair_accuracy:.4f}"
    return f"held-out perplexity {metrics.perplexity:.2f}, word accuracy {metrics.accuracy:.4f}{pair}"


def _outputs(model: PreTrainedModel, train: Corpus, rows: Indices, device: Device) -> torch.Tensor:
    """Return the hidden states of the first tokens of the texts A of instances of the first epoch, (B, H)."""
    instances = train.drawn[0]
    texts = [join_texts([train.tokens[a0:a1]], train.vocabulary) for a0, a1, _, _ in instances.spans[rows]]
    inputs = collate(model, pack(texts), np.arange(len(texts)), device)
    with torch.autocast(device.device.type, torch.bfloat16, enabled=device.precision == "bf16"):
        return first_states(hidden_states(model, inputs, types=False), inputs).float()


def _document_ids(train: Corpus, step: Step) -> Iterator[str]:
    """Yield the ids of the documents of an update if the instances of its epoch are still cached."""
    instances = train.drawn.get(math.ceil(step.epoch) - 1)
    return (train.ids[instances.owners[row]] for row in step.rows if instances is not None)


TEXT = Objective(
    plan=plan_updates,
    prepare=lambda *_: None,
    losses=_losses,
    measure=_measure,
    evaluation=HeldOutMetrics,
    better=lambda metrics, best, params: metrics.loss < best.loss,  # noqa: ARG005
    describe=_describe,
    outputs=_outputs,
    scales=lambda model, params: {},  # noqa: ARG005
    name_examples=_document_ids,
)
