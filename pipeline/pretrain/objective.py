"""Learning from text without labels: hidden words, and whether two texts belong together or in which order."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.models.batches import Indices, Ragged, plan
from pipeline.models.device import Device
from pipeline.models.inference import collate
from pipeline.models.processes import ALONE, Ranks, add_up
from pipeline.pretrain.batches import MEASURED, Batch, Corpus, batch, drawn, lengths, plan_steps
from pipeline.pretrain.losses import firsts, hidden_states, sums
from pipeline.pretrain.masking import IGNORED
from pipeline.pretrain.pairs import NO_PAIR
from pipeline.settings.pretrain import PretrainParams
from pipeline.train.objective import Moment, Objective, Step


class Held(NamedTuple):
    """How the model did on held-out documents after `step` updates; `loss` is the sum of what it learns.

    `perplexity` is e to the mean loss of the hidden words, `accuracy` the share of them it names; `pair_accuracy` that
    of the pairs, None where none are learned; `found_accuracy` that of the tokens that ELECTRA tells apart.
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
    found_loss: float | None
    found_accuracy: float | None


def losses(
    model: PreTrainedModel,
    train: Corpus,
    prepared: None,  # noqa: ARG001
    step: Step,
    params: PretrainParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the loss of each micro-batch: the mean over the update's hidden words, plus that over its pairs.

    Source: Devlin et al. 2019, BERT, appendix A.2: the sum of the two mean likelihoods. Clark et al. 2020, ELECTRA,
    section 3.1, weighs what the discriminator finds: `found_weight`.
    """
    epoch = math.ceil(step.epoch) - 1
    given = [batch(train, params, epoch, rows) for rows in step.parts]
    for one in given:
        mine = np.arange(ranks.rank, len(one.pairs), ranks.size)
        none = not len(mine)
        found = sums(model, one, mine if len(mine) else np.arange(1), params, device)
        wholes = _wholes(given, params)
        total = torch.zeros((), device=device.device)
        for loss, whole, weight in zip(found.losses, wholes, (1.0, *_weights(params)), strict=False):
            total = total + loss * (0.0 if none else weight / max(1, whole))
        yield total


def _wholes(given: Sequence[Batch], params: PretrainParams) -> tuple[int, ...]:
    """Return what each loss of an update is a mean over."""
    words = sum(int((one.labels != IGNORED).sum()) for one in given)
    pairs = sum(int((one.pairs != NO_PAIR).sum()) for one in given)
    tokens = sum(len(one.labels) for one in given)
    return (words, *((pairs,) if params.pair != "none" else ()), *((tokens,) if params.family == "electra" else ()))


def _weights(params: PretrainParams) -> tuple[float, ...]:
    return (*((1.0,) if params.pair != "none" else ()), *((params.found_weight,) if params.family == "electra" else ()))


def measure(
    model: PreTrainedModel,
    held: Corpus,
    moment: Moment,
    params: PretrainParams,
    device: Device,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> Held:
    """Return how the model does on held-out documents, always the same examples with the same words hidden."""
    model.eval()
    found = drawn(held, params, MEASURED)
    rounds = plan(lengths(found), batch_tokens=4 * params.batch_tokens, batch_size=10**6, rng=None)
    totals = torch.zeros(3, 3, dtype=torch.float64, device=device.device)
    with torch.inference_mode(), torch.random.fork_rng(devices=[] if device.device.type == "cpu" else None):
        torch.manual_seed(params.seed)
        for start in range(0, len(rounds), ranks.size):
            go_on()
            for rows in rounds[start + ranks.rank : start + ranks.rank + 1]:
                got = sums(model, batch(held, params, MEASURED, rows), np.arange(len(rows)), params, device)
                for row, (loss, hits, count) in enumerate(zip(got.losses, got.hits, got.counts, strict=True)):
                    totals[row] += torch.stack([loss.double(), hits.double(), loss.new_tensor(count).double()])
    add_up([totals], ranks)
    return _held(moment, totals.tolist(), params)


def _held(moment: Moment, totals: list[list[float]], params: PretrainParams) -> Held:
    means = [(loss / count, hits / count) if count else (0.0, 0.0) for loss, hits, count in totals]
    word_loss, accuracy = means[0]
    other = means[1] if params.pair != "none" or params.family == "electra" else None
    pair, apart = (None, other) if params.family == "electra" else (other, None)
    weighed = [weight * loss for weight, (loss, _) in zip(_weights(params), means[1:], strict=False)]
    return Held(
        *moment,
        loss=word_loss + sum(weighed),
        word_loss=word_loss,
        perplexity=math.exp(min(word_loss, 700.0)),
        accuracy=accuracy,
        pair_loss=pair and pair[0],
        pair_accuracy=pair and pair[1],
        found_loss=apart and apart[0],
        found_accuracy=apart and apart[1],
    )


def told(found: Held) -> str:
    """Return an evaluation in words."""
    pair = "" if found.pair_accuracy is None else f", pairs right {found.pair_accuracy:.4f}"
    apart = "" if found.found_accuracy is None else f", tokens told apart {found.found_accuracy:.4f}"
    return f"held-out perplexity {found.perplexity:.2f}, words right {found.accuracy:.4f}{pair}{apart}"


def outputs(model: PreTrainedModel, train: Corpus, rows: Indices, device: Device) -> torch.Tensor:
    """Return the hidden states of the first tokens of examples of the first epoch, (B, H)."""
    (found,) = list(train.keeper.values())[:1]
    kept = found.spans[rows]
    read = [np.concatenate(([train.first], train.tokens[a:b], [train.last])) for a, b, _, _ in kept]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in read])]).astype(np.int64)
    inputs = collate(model, Ragged(np.concatenate(read).astype(np.int32), offsets), np.arange(len(read)), device)
    with torch.autocast(device.device.type, torch.bfloat16, enabled=device.precision == "bf16"):
        return firsts(hidden_states(model, inputs, plain=True), inputs).float()


def names(train: Corpus, step: Step) -> Iterator[str]:
    """Yield the ids of the documents of an update, where its epoch is still there."""
    found = train.keeper.get(math.ceil(step.epoch) - 1)
    return (train.ids[found.owners[row]] for row in step.rows if found is not None)


TEXT = Objective(
    plan=plan_steps,
    prepare=lambda *_: None,
    losses=losses,
    measure=measure,
    evaluation=Held,
    better=lambda found, best, params: found.loss < best.loss,  # noqa: ARG005
    told=told,
    outputs=outputs,
    scales=lambda model, params: {},  # noqa: ARG005
    names=names,
)
