"""Learning from text without labels: hidden words, and whether two texts belong together or in which order."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.batches import Indices, Ragged, on_device, plan
from pipeline.device import Device
from pipeline.families import FAMILIES
from pipeline.inference import collate
from pipeline.instances import NO_PAIR
from pipeline.masking import IGNORED
from pipeline.packing import FLAT
from pipeline.parallel import ALONE, Ranks, add_up
from pipeline.passages import MEASURED, Batch, Corpus, batch, drawn, lengths, plan_steps
from pipeline.pretrain_params import PretrainParams
from pipeline.steps import Moment, Objective, Step


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


class Sums(NamedTuple):
    """Losses and hits of a batch, added up, with what each is a mean over: words, pairs, and tokens told apart."""

    losses: tuple[torch.Tensor, ...]
    hits: tuple[torch.Tensor, ...]
    counts: tuple[int, ...]


def sums(model: PreTrainedModel, given: Batch, rows: Indices, params: PretrainParams, device: Device) -> Sums:
    """Return the losses of rows of a batch, added up; the head of words is computed only where one is hidden."""
    family, labels, places = FAMILIES[params.family], *_hidden(model, given, rows)
    pairs = given.pairs[rows]
    known = on_device(torch.from_numpy(np.flatnonzero(pairs != NO_PAIR)), device.device)
    targets = on_device(torch.from_numpy(labels), device.device)
    where = on_device(torch.from_numpy(places), device.device)
    generator: Any = getattr(model, "generator", model)
    with torch.autocast(device.device.type, torch.bfloat16, enabled=device.precision == "bf16"):
        inputs = collate(model, given.tokens, rows, device)
        states = _states(generator, inputs, family.pair is None)
        logits = family.words(model, states.flatten(0, 1)[where]).float()
        found = [(cross_entropy(logits, targets, reduction="sum"), (logits.argmax(-1) == targets).sum(), len(labels))]
        if params.pair != "none" and family.pair is not None:
            asked = on_device(torch.from_numpy(pairs[pairs != NO_PAIR]), device.device)
            answer = family.pair(model, _firsts(states, inputs)[known]).float()
            hits = (answer.argmax(-1) == asked).sum()
            found.append((cross_entropy(answer, asked, reduction="sum"), hits, len(asked)))
        if params.family == "electra":
            found.append(_told_apart(model, inputs, logits, targets, where))
    return Sums(*(tuple(column) for column in zip(*found, strict=True)))


def _states(model: Any, inputs: dict[str, Any], plain: bool) -> torch.Tensor:
    """Return the hidden states of a batch, (B, T, H); a family without segments is not told of them."""
    known = {name: value for name, value in inputs.items() if not (plain and name == "token_type_ids")}
    states: torch.Tensor = model.base_model(**known).last_hidden_state
    return states


def _firsts(states: torch.Tensor, inputs: dict[str, Any]) -> torch.Tensor:
    """Return the states of the first token of each example, (B, H)."""
    segments = inputs.get("segments")
    return states[:, 0] if segments is None else states[0, segments.bounds[:-1]]


def _hidden(model: PreTrainedModel, given: Batch, rows: Indices) -> tuple[Indices, Indices]:
    """Return the hidden words of the rows, (M,), and at which places of the batch, end to end, they stand."""
    lengths = given.tokens.lengths[rows]
    wide = (
        np.cumsum(lengths) - lengths
        if model.config._attn_implementation == FLAT
        else np.arange(len(rows)) * lengths.max()
    )
    labels, places = [], []
    for start, base, length in zip(given.tokens.offsets[rows], wide, lengths, strict=True):
        own = given.labels[start : start + length]
        at = np.flatnonzero(own != IGNORED)
        labels.append(own[at])
        places.append(base + at)
    return np.concatenate(labels), np.concatenate(places)


def _told_apart(
    model: Any, inputs: dict[str, Any], logits: torch.Tensor, targets: torch.Tensor, where: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return loss and hits of telling the tokens that the generator put in from those of the text.

    Source: Clark et al. 2020, ELECTRA, section 3.1: sampled from the generator, which learns nothing of it.
    """
    with torch.no_grad():
        draws = torch.distributions.Categorical(logits=logits).sample()
        ids = inputs["input_ids"].clone()
        text = ids.clone()
        ids.view(-1)[where], text.view(-1)[where] = draws, targets
        replaced = (ids != text).float().view(-1)
    states = _states(model, {**inputs, "input_ids": ids}, plain=True)
    told: torch.Tensor = model.discriminator_predictions(states).float().view(-1)
    mask = inputs.get("attention_mask")
    real = torch.ones_like(told) if mask is None or "segments" in inputs else mask.view(-1).float()
    losses = torch.nn.functional.binary_cross_entropy_with_logits(told, replaced, reduction="none")
    hits = (((told > 0).float() == replaced).float() * real).sum()
    return (
        (losses * real).sum(),
        hits,
        int(np.prod(ids.shape)) if mask is None or "segments" in inputs else int(mask.sum()),
    )


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
        return _firsts(_states(model, inputs, plain=True), inputs).float()


def names(train: Corpus, step: Step) -> Iterator[str]:
    """Yield the ids of the documents of an update, where its epoch is still there."""
    found = train.keeper.get(math.ceil(step.epoch) - 1)
    return (train.ids[found.owners[row]] for row in step.rows if found is not None)


def longest(train: Corpus, step: Step) -> int:
    """Return how many tokens the longest example of an update has."""
    found = next(iter(train.keeper.values()))
    return int(lengths(found)[step.rows].max())


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
    longest=longest,
)
