"""What a batch of pretraining adds up to: the losses and hits of hidden words, of pairs, and of replaced tokens."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.models.attention import FLAT
from pipeline.models.batches import Indices, on_device
from pipeline.models.device import Device
from pipeline.models.inference import collate
from pipeline.pretrain.batches import Batch
from pipeline.pretrain.families import FAMILIES
from pipeline.pretrain.masking import IGNORED
from pipeline.pretrain.pairs import NO_PAIR
from pipeline.settings.pretrain import PretrainParams


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
        states = hidden_states(generator, inputs, family.pair is None)
        logits = family.words(model, states.flatten(0, 1)[where]).float()
        found = [(cross_entropy(logits, targets, reduction="sum"), (logits.argmax(-1) == targets).sum(), len(labels))]
        if params.pair != "none" and family.pair is not None:
            asked = on_device(torch.from_numpy(pairs[pairs != NO_PAIR]), device.device)
            answer = family.pair(model, firsts(states, inputs)[known]).float()
            hits = (answer.argmax(-1) == asked).sum()
            found.append((cross_entropy(answer, asked, reduction="sum"), hits, len(asked)))
        if params.family == "electra":
            found.append(_told_apart(model, inputs, logits, targets, where))
    return Sums(*(tuple(column) for column in zip(*found, strict=True)))


def hidden_states(model: Any, inputs: dict[str, Any], plain: bool) -> torch.Tensor:
    """Return the hidden states of a batch, (B, T, H); a family without segments is not told of them."""
    known = {name: value for name, value in inputs.items() if not (plain and name == "token_type_ids")}
    states: torch.Tensor = model.base_model(**known).last_hidden_state
    return states


def firsts(states: torch.Tensor, inputs: dict[str, Any]) -> torch.Tensor:
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

    Source: Clark et al. 2020, ELECTRA, section 3.1: sampled from the generator, which learns nothing of it. The library
    samples by the same race, and refuses NaN, which is the loss's to tell.
    """
    with torch.no_grad():
        chances = logits.softmax(-1)
        draws = (chances / torch.empty_like(chances).exponential_()).argmax(-1)
        ids = inputs["input_ids"].clone()
        text = ids.clone()
        ids.view(-1)[where], text.view(-1)[where] = draws, targets
        replaced = (ids != text).float().view(-1)
    states = hidden_states(model, {**inputs, "input_ids": ids}, plain=True)
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
