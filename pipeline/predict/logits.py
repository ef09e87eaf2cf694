"""Logits of rows, say of token ids, by whatever computes a batch of them, in numpy."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.batching import Indices, plan_batches

# What a model reads: of texts the token ids, (T,), or with their types, (T, 2). The length of a row is what it costs,
# in tokens, whatever it holds.
ModelRows = Sequence[Any]
Arrays = dict[str, npt.NDArray[Any]]  # of a batch, by the names of a model's inputs
Collate = Callable[[ModelRows], Arrays]
Compute = Callable[[Arrays], npt.NDArray[np.float32]]

# Padded tokens of a batch at most. On a CPU its numbers then stay in the cache (docs/log.md).
CPU_BATCH_TOKENS = 512
GPU_BATCH_TOKENS = 2**15


def compute_in_batches(
    compute: Compute,
    rows: ModelRows,
    *,
    classes: int,
    collate: Collate,
    batch_tokens: int = CPU_BATCH_TOKENS,
    advance: Callable[[int], object] = lambda _: None,
) -> npt.NDArray[np.float32]:
    """Return the logits of rows in their order, (N, C); rows of near-equal length are computed together.

    `advance` is called with the number of rows just computed.
    """
    logits = np.zeros((len(rows), classes), np.float32)
    for places, batch in _compute(compute, rows, collate, batch_tokens):
        logits[places] = batch
        advance(len(places))
    return logits


def compute_tokens_in_batches(
    compute: Compute,
    rows: ModelRows,
    *,
    collate: Collate,
    batch_tokens: int = CPU_BATCH_TOKENS,
    advance: Callable[[int], object] = lambda _: None,
) -> list[npt.NDArray[np.float32]]:
    """Return the logits of every token of rows in their order, (T, C) each; otherwise this is `compute_in_batches`."""
    logits: list[npt.NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(rows)
    for places, batch in _compute(compute, rows, collate, batch_tokens):
        for place, own in zip(places.tolist(), batch, strict=True):
            logits[place] = own[: len(rows[place])]
        advance(len(places))
    return logits


def _compute(
    compute: Compute, rows: ModelRows, collate: Collate, batch_tokens: int
) -> Iterator[tuple[Indices, npt.NDArray[np.float32]]]:
    """Yield the places of the rows of each batch, and their logits."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    for places in plan_batches(lengths, batch_tokens=batch_tokens, batch_size=batch_tokens, rng=None):
        yield places, compute(collate([rows[place] for place in places.tolist()]))


def pad_batch(ids: ModelRows, pad_token_id: int) -> Arrays:
    """Return rows of token ids padded on the right to the longest.

    `input_ids` and `attention_mask` (B, T) int64, the mask 0 at the padding; `token_type_ids` (B, T) int64 if rows have
    types, 0 at the padding.
    """
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    tokens = np.concatenate([np.asarray(row, np.int64) for row in ids]) if len(ids) else np.zeros(0, np.int64)
    ids_alone, *types = tokens.T if tokens.ndim > 1 else [tokens]
    arrays = {"input_ids": np.full(mask.shape, pad_token_id, np.int64), "attention_mask": mask.astype(np.int64)}
    arrays["input_ids"][mask] = ids_alone
    for own in types:
        arrays["token_type_ids"] = np.zeros(mask.shape, np.int64)
        arrays["token_type_ids"][mask] = own
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
