"""Logits and class probabilities of token ids."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedModel

from pipeline.evaluate.metrics import Floats
from pipeline.models.attention import FLAT
from pipeline.models.batches import ModelInputs, Ragged, average_windows, flatten_rows, pad_rows, read_tokens, to_device
from pipeline.models.batching import Indices, plan_batches
from pipeline.models.device import Device
from pipeline.models.layers import find_first_position, require_fit
from pipeline.models.processes import ALONE, Ranks, share_batches, sum_over_ranks

# They decide the memory and speed of a batch, not the result.
BATCH_TOKENS = 4096
BATCH_SIZE = 128


class Feed(NamedTuple):
    """How inputs of one kind are given to a model.

    Args:
        rows: `rows(table)` are the rows of a table or a record batch of inputs, ready for the others.
        lengths: `lengths(rows)` are what the rows cost in tokens, (N,), as `plan_batches` takes them.
        collate: `collate(model, rows, indices, device)` are some of the rows as keyword arguments of the model.
        require_fit: `require_fit(rows, model)` raises DataError if the model cannot read the rows.
    """

    rows: Callable[[pa.Table | pa.RecordBatch], Any]
    lengths: Callable[[Any], Indices]
    collate: Callable[[PreTrainedModel, Any, Indices, Device], ModelInputs]
    require_fit: Callable[[Any, PreTrainedModel], None]


def predict_probabilities(model: PreTrainedModel, tokens: Ragged, device: Device) -> Floats:
    """Return the class probabilities of N examples, (N, C) float64 in [0, 1]; each row sums to 1 up to rounding."""
    logits = compute_logits(model, tokens, device, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE)
    return torch.softmax(logits.double(), dim=-1).numpy()


def compute_logits(
    model: PreTrainedModel,
    tokens: Ragged,
    device: Device,
    *,
    batch_tokens: int,
    batch_size: int,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Return the logits of N examples, (N, C) float32 on the CPU, in their order; without dropout and gradients.

    `tokens` are ids with the special tokens; of texts in windows, the logits are means. Examples of near-equal length
    share a batch, so almost nothing is padded. The ranks share the batches, and each returns the whole result. `go_on`
    is called before each batch, on all ranks alike, and may raise to end early.
    """
    if tokens.texts is not None:  # without gradients, the windows of a text need not share a batch
        how = {"batch_tokens": batch_tokens, "batch_size": batch_size}
        logits = compute_logits(model, tokens.windows, device, **how, ranks=ranks, go_on=go_on)
        return torch.stack([part.mean(dim=0) for part in logits.split(np.diff(tokens.texts).tolist())])
    model.to(device.device).eval()  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    logits = torch.zeros(len(tokens.lengths), model.config.num_labels or 0, device=device.device)
    batches = plan_batches(tokens.lengths, batch_tokens=batch_tokens, batch_size=batch_size, rng=None)
    with torch.inference_mode():
        for rows in share_batches(batches, ranks, go_on):
            places = to_device(torch.from_numpy(rows), device.device)
            logits[places] = forward(model, collate(model, tokens, rows, device), device)
    sum_over_ranks([logits], ranks)
    return logits.cpu()


def compute_token_logits(
    model: PreTrainedModel,
    tokens: Ragged,
    device: Device,
    *,
    batch_tokens: int,
    batch_size: int,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Return the logits of every token of N examples, (tokens, C) float32 on the CPU: one for each of `tokens.values`.

    The model has a head on every token; otherwise this is `compute_logits`.
    """
    model.to(device.device).eval()  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    logits = torch.zeros(len(tokens.values), model.config.num_labels or 0, device=device.device)
    batches = plan_batches(tokens.lengths, batch_tokens=batch_tokens, batch_size=batch_size, rng=None)
    with torch.inference_mode():
        for rows in share_batches(batches, ranks, go_on):
            spans = [torch.arange(tokens.offsets[row], tokens.offsets[row + 1]) for row in rows]
            places = to_device(torch.cat(spans), device.device)
            logits[places] = forward_tokens(model, collate(model, tokens, rows, device), device)
    sum_over_ranks([logits], ranks)
    return logits.cpu()


def forward_tokens(model: PreTrainedModel, inputs: ModelInputs, device: Device) -> torch.Tensor:
    """Return the logits of every token of a batch, examples end to end without padding, (tokens, C) float32.

    The logits of a span head, one of starts and one of ends, are its two columns.
    """
    with torch.autocast(device.device.type, torch.bfloat16, enabled=device.precision == "bf16"):
        output = model(**inputs)
    logits = output.logits if "logits" in output else torch.stack([output.start_logits, output.end_logits], dim=-1)
    if "segments" in inputs:
        return logits[0].float()
    mask = inputs["attention_mask"]
    real: torch.Tensor = logits.flatten(0, 1) if mask is None else logits[mask.bool()]
    return real.float()


def collate(model: PreTrainedModel, tokens: Ragged, rows: Indices, device: Device) -> ModelInputs:
    """Return the rows as inputs of the model, on the device: flat if its attention is, else padded.

    Of texts in windows, the inputs are all of their windows, with `mean`, which `forward` alone can take.
    """
    if tokens.texts is not None:
        windows, mean = average_windows(tokens.texts, rows, device.device)
        return collate(model, tokens.windows, windows, device) | {"mean": mean}
    if model.config._attn_implementation == FLAT:  # the library has no public name for it
        return flatten_rows(tokens, rows, first_position=find_first_position(model), device=device.device)
    return pad_rows(tokens, rows, pad_token_id=model.config.pad_token_id or 0, device=device.device)


TOKEN_FEED = Feed(
    rows=read_tokens,
    lengths=lambda tokens: tokens.lengths,
    collate=collate,
    require_fit=require_fit,
)


def forward(model: PreTrainedModel, inputs: ModelInputs, device: Device) -> torch.Tensor:
    """Return the logits of a batch, (B, C) float32, computed in the device's precision; of windows, the mean a text."""
    read = {name: value for name, value in inputs.items() if name != "mean"}
    with torch.autocast(device.device.type, torch.bfloat16, enabled=device.precision == "bf16"):
        logits: torch.Tensor = model(**read).logits
    return inputs["mean"] @ logits.float() if "mean" in inputs else logits.float()
