"""Attention over a flat batch, in which every token sees those of its own example and no other."""

from functools import cache
from typing import Any, cast

import torch
from torch import nn
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface

from pipeline.models.batches import Segments

FLAT = "flat"
HALF = (torch.bfloat16, torch.float16)
KERNEL_HEAD_SIZES = range(8, 257, 8)  # the head sizes that FlashAttention takes
KERNEL_CAPABILITY = (8, 0)  # compute capability of a GPU: Ampere and newer


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

    On a GPU and in half precision one kernel computes the whole batch (it has no dropout); elsewhere each run of
    examples of equal length is one product.
    """
    first_only = len(query) != len(key)
    if fits_kernel(query.device.type, query.dtype, query.shape[-1], dropout):
        return _attend_by_kernel(query, key, value, segments, scale, window, first_only=first_only)
    contexts, example = [], 0
    for start, count, length in segments.runs:
        tokens = slice(start, start + count * length)
        asking = slice(example, example + count) if first_only else tokens
        contexts.append(_attend_run(query[asking], key[tokens], value[tokens], count, scale, dropout, window))
        example += count
    return torch.cat(contexts)


def fits_kernel(device: str, dtype: torch.dtype, head_size: int, dropout: float) -> bool:
    """Return whether one kernel can compute a whole batch: on this device, in this dtype, with heads of this size."""
    return device == "cuda" and dtype in HALF and head_size in KERNEL_HEAD_SIZES and not dropout and has_kernel()


@cache
def has_kernel() -> bool:
    """Return whether this GPU and this build of torch have FlashAttention's kernel."""
    return (
        torch.backends.cuda.is_flash_attention_available() and torch.cuda.get_device_capability() >= KERNEL_CAPABILITY
    )


def _attend_by_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    scale: float,
    window: int | None,
    *,
    first_only: bool,
) -> torch.Tensor:
    """Return the attention of the whole batch, computed by the kernel for sequences of various lengths."""
    bounds = segments.bounds
    context = varlen_attn(
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
    return cast(torch.Tensor, context)


def _attend_run(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    count: int,
    scale: float,
    dropout: float,
    window: int | None,
) -> torch.Tensor:
    """Return the attention of `count` examples of equal length that lie end to end."""
    queries, keys, values = (part.unflatten(0, (count, -1)).transpose(1, 2) for part in (query, key, value))
    scores = queries @ keys.transpose(2, 3) * scale
    if window is not None:
        position = torch.arange(keys.shape[2], device=scores.device)
        outside = (position[: queries.shape[2], None] - position).abs() > window
        scores = scores.masked_fill(outside, float("-inf"))
    weights = nn.functional.dropout(scores.softmax(-1).to(values.dtype), dropout)
    context: torch.Tensor = weights @ values
    return context.transpose(1, 2).flatten(0, 1)


def _attend_for_library(
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
    """Attend as an attention function of the library: (1, heads, N, D) in, (1, N, heads, D) out.

    The library's `sliding_window` counts the token's own position, `window` of `attend` does not.
    """
    window = None if sliding_window is None else sliding_window - 1
    query, key, value = (part[0].transpose(0, 1) for part in (query, key, value))
    return attend(query, key, value, segments, scale=scaling, dropout=dropout, window=window)[None], None


AttentionInterface.register(FLAT, _attend_for_library)
