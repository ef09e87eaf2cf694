"""Summed losses and hits of a pretraining batch: of its hidden words and of its pairs."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.models.attention import FLAT
from pipeline.models.batches import to_device
from pipeline.models.batching import Indices
from pipeline.models.device import Device
from pipeline.models.inference import collate
from pipeline.pretrain.batches import Batch
from pipeline.pretrain.families import FAMILIES
from pipeline.pretrain.masking import IGNORED
from pipeline.pretrain.pairs import NO_PAIR
from pipeline.settings.pretrain import PretrainParams


class Sums(NamedTuple):
    """Summed losses and hits, and the number of terms of each sum: of the words, then of the pairs if there are any."""

    losses: tuple[torch.Tensor, ...]
    hits: tuple[torch.Tensor, ...]
    counts: tuple[int, ...]


def sum_losses(model: PreTrainedModel, batch: Batch, rows: Indices, params: PretrainParams, device: Device) -> Sums:
    """Return the summed losses of rows of a batch; the word head is computed at the hidden words alone."""
    family = FAMILIES[params.family]
    labels, places = _find_hidden(model, batch, rows)
    pairs = batch.pairs[rows]
    paired = to_device(torch.from_numpy(np.flatnonzero(pairs != NO_PAIR)), device.device)
    words = to_device(torch.from_numpy(labels), device.device)
    where = to_device(torch.from_numpy(places), device.device)
    with torch.autocast(device.device.type, torch.bfloat16, enabled=device.precision == "bf16"):
        inputs = collate(model, batch.tokens, rows, device)
        states = hidden_states(model, inputs, types=family.pair_logits is not None)
        terms = [_sum_cross_entropy(family.word_logits(model, states.flatten(0, 1)[where]), words)]
        if params.pair != "none" and family.pair_logits is not None:
            orders = to_device(torch.from_numpy(pairs[pairs != NO_PAIR]), device.device)
            first = first_states(states, inputs)[paired]
            terms.append(_sum_cross_entropy(family.pair_logits(model, first), orders))
    return Sums(*(tuple(column) for column in zip(*terms, strict=True)))


def hidden_states(model: Any, inputs: dict[str, Any], *, types: bool) -> torch.Tensor:
    """Return the hidden states of a batch, (B, T, H); `token_type_ids` reach the model only if `types` is set."""
    arguments = {name: value for name, value in inputs.items() if types or name != "token_type_ids"}
    states: torch.Tensor = model.base_model(**arguments).last_hidden_state
    return states


def first_states(states: torch.Tensor, inputs: dict[str, Any]) -> torch.Tensor:
    """Return the hidden state of the first token of each instance, (B, H), of a padded or a flat batch."""
    segments = inputs.get("segments")
    return states[:, 0] if segments is None else states[0, segments.bounds[:-1]]


def _sum_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return the summed cross-entropy in fp32, the number of hits, and the number of targets."""
    logits = logits.float()
    return cross_entropy(logits, targets, reduction="sum"), (logits.argmax(-1) == targets).sum(), len(targets)


def _find_hidden(model: PreTrainedModel, batch: Batch, rows: Indices) -> tuple[Indices, Indices]:
    """Return the hidden words of the rows, (M,), and their places in the collated batch, end to end."""
    lengths = batch.tokens.lengths[rows]
    if model.config._attn_implementation == FLAT:
        bases = np.cumsum(lengths) - lengths
    else:
        bases = np.arange(len(rows)) * lengths.max()
    labels, places = [], []
    for start, base, length in zip(batch.tokens.offsets[rows], bases, lengths, strict=True):
        own = batch.labels[start : start + length]
        hidden = np.flatnonzero(own != IGNORED)
        labels.append(own[hidden])
        places.append(base + hidden)
    return np.concatenate(labels), np.concatenate(places)
