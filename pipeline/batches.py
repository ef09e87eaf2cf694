"""Which examples form a batch, and the tensors of a batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch

Indices = np.ndarray[tuple[int], np.dtype[np.int64]]


class Ragged(NamedTuple):
    """Sequences of different lengths end to end: row i is `values[offsets[i]:offsets[i + 1]]`."""

    values: np.ndarray[tuple[int], np.dtype[np.int32]]
    offsets: np.ndarray[tuple[int], np.dtype[np.int64]]

    @property
    def lengths(self) -> Indices:
        """The number of tokens of each row, (N,) int64."""
        return np.diff(self.offsets)


class Batch(NamedTuple):
    """One batch: `input_ids` (B, T) int64; `attention_mask` (B, T) int64, None where nothing is padded."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor | None


def ragged(column: pa.ChunkedArray | pa.Array) -> Ragged:
    """Return a list<int32> column without copying its values."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # a column of several chunks stays one when it is empty
        array = pa.concat_arrays(array.chunks)
    offsets = array.offsets.to_numpy().astype(np.int64)
    return Ragged(array.values.to_numpy(), offsets)


def plan(lengths: Indices, *, batch_tokens: int, batch_size: int, rng: np.random.Generator | None) -> list[Indices]:
    """Return the rows of each batch: every row exactly once, rows of near-equal length together.

    A batch has at most `batch_size` rows, and rows times its longest row is at most `batch_tokens` (a single row longer
    than that is a batch of its own). With `rng`, rows of equal length and the batches come in random order; without,
    rows are sorted from long to short, so that a batch that does not fit in memory is met first.
    """
    order = np.arange(len(lengths)) if rng is None else rng.permutation(len(lengths))
    order = order[np.argsort(-lengths[order], kind="stable")]
    batches = []
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        stop = start + max(1, min(batch_size, batch_tokens // longest))
        batches.append(order[start:stop])
        start = stop
    if rng is not None:
        batches = [batches[index] for index in rng.permutation(len(batches))]
    return batches


def collate(tokens: Ragged, rows: Sequence[int] | Indices, *, pad_token_id: int, device: torch.device) -> Batch:
    """Return the rows as tensors on `device`, padded on the right to the longest of them."""
    starts, lengths = tokens.offsets[rows], tokens.lengths[rows]
    position = np.arange(int(lengths.max()))
    real = position < lengths[:, None]
    source = np.minimum(starts[:, None] + position, len(tokens.values) - 1)
    input_ids = np.where(real, tokens.values[source], pad_token_id).astype(np.int64)
    mask = None if real.all() else torch.from_numpy(real.astype(np.int64)).to(device)
    return Batch(torch.from_numpy(input_ids).to(device), mask)
