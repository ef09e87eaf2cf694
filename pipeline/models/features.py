"""Vectors of examples by a frozen encoder: the hidden states of one layer, pooled over the tokens of each example."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.core.errors import DataError, UsageError, listed
from pipeline.evaluate.metrics import Vectors
from pipeline.models.batches import Indices, Ragged, plan
from pipeline.models.compute import ROWS, Choice, decide, equal
from pipeline.models.device import Device
from pipeline.models.inference import collate
from pipeline.settings.task import ExtractParams


# ------------------------------------------------------------------------------------------------ pooling
def _first(hidden: torch.Tensor, _real: torch.Tensor) -> torch.Tensor:
    return hidden[:, 0]


def _mean(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    kept = hidden.masked_fill(~real[..., None], 0.0)
    return kept.sum(dim=1) / real.sum(dim=1, keepdim=True)


def _largest(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return hidden.masked_fill(~real[..., None], float("-inf")).amax(dim=1)


# (B, T, H) hidden states and (B, T) whether a token is none of padding -> (B, H); [CLS] and [SEP] count as tokens.
# Source: Reimers and Gurevych 2019, Sentence-BERT, section 3.
POOLINGS = {"cls": _first, "mean": _mean, "max": _largest}


# ------------------------------------------------------------------------------------------------ extraction
def vectors(
    model: PreTrainedModel,
    tokens: Ragged,
    params: ExtractParams,
    device: Device,
    *,
    done: Callable[[int], None] = lambda _: None,
) -> Vectors:
    """Return one vector an example, (N, H) float32 in their order; `done` is told of each batch how many it had.

    Examples of near-equal length share a batch. What shares a batch with an example moves its vector by no more than
    the order of summing does (1e-6 of its size in fp32), since padding is neither attended to nor pooled.
    """
    model.to(device.device).eval()  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    found: Vectors | None = None
    with torch.inference_mode():
        for rows in plan(tokens.lengths, batch_tokens=params.batch_tokens, batch_size=params.batch_size, rng=None):
            part = pooled(model, tokens, rows, params, device).cpu().numpy()
            found = np.empty((len(tokens.lengths), part.shape[1]), np.float32) if found is None else found
            found[rows] = part
            done(len(rows))
    return np.empty((0, 0), np.float32) if found is None else found


def pooled(
    model: PreTrainedModel, tokens: Ragged, rows: Indices, params: ExtractParams, device: Device
) -> torch.Tensor:
    """Return the vectors of one batch, (B, H) float32 on the device."""
    inputs = collate(model, tokens, rows, device)
    inner = params.layer not in (-1, model.config.num_hidden_layers)
    with torch.autocast(device.device.type, torch.bfloat16, enabled=device.precision == "bf16"):
        output = model(**inputs, output_hidden_states=inner)
    hidden = (output.hidden_states[params.layer] if inner else output.last_hidden_state).float()
    if "segments" in inputs:
        hidden = hidden[0, inputs["segments"].unpack]
    mask = inputs["attention_mask"]
    real = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device) if mask is None else mask.bool()
    return POOLINGS[params.pooling](hidden, real)


def choice(model: PreTrainedModel, tokens: Ragged, params: ExtractParams) -> Choice:
    """Return what extraction runs with, `tokens` being some of its rows, by the rules of a training: see `decide`."""
    batches = plan(tokens.lengths, batch_tokens=params.batch_tokens, batch_size=params.batch_size, rng=None)
    if not batches:
        raise DataError("there is no example to extract features from. Run `dvc repro` to make the tokens again.")
    rows = batches[len(batches) // 2][:ROWS]

    def able(attention: str, device: Device) -> bool:
        exact = device._replace(precision="fp32")
        return equal(model, attention, lambda: pooled(model, tokens, rows, params, exact))

    return decide(model, params, able)


def require_layer(model: PreTrainedModel, layer: int) -> None:
    """Refuse a layer that the encoder does not have.

    Raises:
        UsageError: It has fewer.
    """
    depth = model.config.num_hidden_layers
    if layer > depth:
        raise UsageError(
            f"`extract.layer` is {layer}, and the encoder has {depth} layers; take 1 to {depth}, 0 for the embeddings, "
            "or -1 for the last"
        )


def require_finite(found: Vectors, ids: Sequence[str]) -> None:
    """Refuse vectors that nothing can be learned from.

    Raises:
        DataError: Some numbers are infinite or none; the message names their examples.
    """
    broken = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(broken):
        raise DataError(
            f"the encoder gives {len(broken)} examples ({listed(ids[row] for row in broken.tolist())}) numbers that "
            "are not finite: its weights are damaged, or overflow in this precision. Bring the encoder anew, or set "
            "extract.precision to fp32."
        )
