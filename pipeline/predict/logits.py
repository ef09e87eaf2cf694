"""Logits of token ids by whatever computes a padded batch, in numpy."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.batching import Indices, plan_batches

Ids = Sequence[Any]  # of each row its token ids, (T,), or with their types, (T, 2)
Arrays = dict[str, npt.NDArray[np.int64]]  # of a padded batch, by the names of a model's inputs
Compute = Callable[[Arrays], npt.NDArray[np.float32]]

# Padded tokens of a batch at most. On a CPU its numbers then stay in the cache (docs/log.md).
CPU_BATCH_TOKENS = 512
GPU_BATCH_TOKENS = 2**15


def compute_in_batches(
    compute: Compute,
    ids: Ids,
    *,
    classes: int,
    pad_token_id: int,
    batch_tokens: int = CPU_BATCH_TOKENS,
    advance: Callable[[int], object] = lambda _: None,
) -> npt.NDArray[np.float32]:
    """Return the logits of rows in their order, (N, C); rows of near-equal length are computed together.

    `advance` is called with the number of rows just computed.
    """
    logits = np.zeros((len(ids), classes), np.float32)
    for rows, batch in _compute(compute, ids, pad_token_id, batch_tokens):
        logits[rows] = batch
        advance(len(rows))
    return logits


def compute_tokens_in_batches(
    compute: Compute,
    ids: Ids,
    *,
    pad_token_id: int,
    batch_tokens: int = CPU_BATCH_TOKENS,
    advance: Callable[[int], object] = lambda _: None,
) -> list[npt.NDArray[np.float32]]:
    """Return the logits of every token of rows in their order, (T, C) each; otherwise this is `compute_in_batches`."""
    logits: list[npt.NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(ids)
    for rows, batch in _compute(compute, ids, pad_token_id, batch_tokens):
        for row, own in zip(rows.tolist(), batch, strict=True):
            logits[row] = own[: len(ids[row])]
        advance(len(rows))
    return logits


def _compute(
    compute: Compute, ids: Ids, pad_token_id: int, batch_tokens: int
) -> Iterator[tuple[Indices, npt.NDArray[np.float32]]]:
    """Yield the rows of each batch, and their logits."""
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    for rows in plan_batches(lengths, batch_tokens=batch_tokens, batch_size=batch_tokens, rng=None):
        yield rows, compute(pad_batch([ids[row] for row in rows.tolist()], pad_token_id))


def pad_batch(ids: Ids, pad_token_id: int) -> Arrays:
    """Return rows padded on the right to the longest.

    `input_ids` and `attention_mask` (B, T) int64, the mask 0 at the padding; `token_type_ids` (B, T) int64 if rows have
    types, 0 at the padding.
    """
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    tokens = np.concatenate([np.asarray(row, np.int64) for row in ids]) if len(ids) else np.zeros(0, np.int64)
    columns = [("input_ids", tokens, pad_token_id)]
    if tokens.ndim > 1:
        columns = [("input_ids", tokens[:, 0], pad_token_id), ("token_type_ids", tokens[:, 1], 0)]
    arrays = {"attention_mask": mask.astype(np.int64)}
    for name, values, padding in columns:
        arrays[name] = np.full(mask.shape, padding, np.int64)
        arrays[name][mask] = values
    return arrays


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the class probabilities of logits, (N, C); each row sums to 1 up to rounding."""
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def sigmoid(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the probability of each class by itself, (N, C), in [0, 1]."""
    wide = logits.astype(np.float64)
    powers = np.exp(-np.abs(wide))  # of no positive number, so it does not overflow
    return np.asarray(np.where(wide >= 0, 1, powers) / (1 + powers))
