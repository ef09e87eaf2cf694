"""Attention among the tokens of a flat batch, in which every token sees those of its own example and no other."""

from functools import cache
from typing import Any, cast

import torch
from torch import nn
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface

from pipeline.models.batches import Segments

FLAT = "flat"
HALF = (torch.bfloat16, torch.float16)
KERNEL_SIZES = range(8, 257, 8)  # the sizes of a head that FlashAttention takes
KERNEL_GPU = (8, 0)  # compute capability: Ampere and newer


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    *,
    scale: float,
    dropout: float = 0.0,
    window: int | None = None,
) -> torch.Tensor:
    """Return softmax(query key' * scale) value within each example.

    `key` and `value` are (N, heads, D) for the N tokens of the batch; `query` and the result are (N, heads, D), or
    (B, heads, D) for the first token of each example alone. With `window`, a token sees those at most `window` away;
    `dropout` is the share of weights dropped.

    On a GPU and in half precision it is one kernel for the batch (which has no dropout); elsewhere one product for each
    run of examples of equal length.
    """
    first_only = len(query) != len(key)
    if one_kernel(query.device.type, query.dtype, query.shape[-1], dropout):
        return _kernel(query, key, value, segments, scale, window, first_only=first_only)
    found, example = [], 0
    for start, count, length in segments.runs:
        tokens = slice(start, start + count * length)
        asked = slice(example, example + count) if first_only else tokens
        found.append(_run(query[asked], key[tokens], value[tokens], count, scale, dropout, window))
        example += count
    return torch.cat(found)


def one_kernel(device: str, kind: torch.dtype, size: int, dropout: float) -> bool:
    """Return whether one kernel takes a whole batch: on such a device, in this dtype, with heads of this size."""
    return device == "cuda" and kind in HALF and size in KERNEL_SIZES and not dropout and has_kernel()


@cache
def has_kernel() -> bool:
    """Return whether this GPU and this build of torch have the kernel, which is FlashAttention's."""
    return torch.backends.cuda.is_flash_attention_available() and torch.cuda.get_device_capability() >= KERNEL_GPU


def _kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    scale: float,
    window: int | None,
    *,
    first_only: bool,
) -> torch.Tensor:
    """Return the attention of the whole batch by the kernel for sequences of various lengths."""
    bounds = segments.bounds
    found = varlen_attn(
        query.contiguous(),
        key.contiguous(),
        value.contiguous(),
        torch.arange(len(bounds), dtype=torch.int32, device=bounds.device) if first_only else bounds,
        bounds,
        1 if first_only else segments.longest,
        segments.longest,
        scale=scale,
        window_size=(-1, -1) if window is None else (window, window),
    )
    return cast(torch.Tensor, found)


def _run(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    count: int,
    scale: float,
    dropout: float,
    window: int | None,
) -> torch.Tensor:
    """Return the attention of `count` examples of equal length that lie end to end."""
    asked, keys, values = (part.unflatten(0, (count, -1)).transpose(1, 2) for part in (query, key, value))
    scores = asked @ keys.transpose(2, 3) * scale
    if window is not None:
        position = torch.arange(keys.shape[2], device=scores.device)
        away = (position[: asked.shape[2], None] - position).abs() > window
        scores = scores.masked_fill(away, float("-inf"))
    weights = nn.functional.dropout(scores.softmax(-1).to(values.dtype), dropout)
    context: torch.Tensor = weights @ values
    return context.transpose(1, 2).flatten(0, 1)


def _for_the_library(
    module: nn.Module,  # noqa: ARG001
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001
    *,
    segments: Segments,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Be an attention of the library: (1, heads, N, D) in, (1, N, heads, D) out. It counts a token's own place in."""
    window = None if sliding_window is None else sliding_window - 1
    query, key, value = (part[0].transpose(0, 1) for part in (query, key, value))
    return attend(query, key, value, segments, scale=scaling, dropout=dropout, window=window)[None], None


AttentionInterface.register(FLAT, _for_the_library)
