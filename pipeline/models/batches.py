"""Batches of token ids: the model's inputs, padded or flat without padding."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from pipeline.models.batching import Indices
from pipeline.models.inputs import find_first_windows

# The keyword arguments of a model's forward.
ModelInputs = dict[str, Any]


class Ragged(NamedTuple):
    """Sequences of different lengths end to end: row i is `values[offsets[i]:offsets[i + 1]]`.

    `types` are the `token_type_ids` of `values`, 0 in the first text of a pair and 1 in the second; None if every row
    is a single text. If texts are read in windows, the rows are windows, and text t is rows `texts[t]:texts[t + 1]`.
    """

    values: np.ndarray[tuple[int], np.dtype[np.int32]]
    offsets: np.ndarray[tuple[int], np.dtype[np.int64]]
    types: np.ndarray[tuple[int], np.dtype[np.int32]] | None = None
    texts: Indices | None = None

    @property
    def lengths(self) -> Indices:
        """The number of tokens of each row, of texts in windows that of each text, (N,) int64."""
        return np.diff(self.offsets if self.texts is None else self.offsets[self.texts])

    @property
    def windows(self) -> "Ragged":
        """The rows, whichever texts they are of."""
        return self._replace(texts=None)

    def first(self, most: int) -> "Ragged":
        """Return the first rows or texts, `most` at most."""
        texts = None if self.texts is None else self.texts[: most + 1]
        offsets = self.offsets[: (most if texts is None else int(texts[-1])) + 1]
        types = None if self.types is None else self.types[: offsets[-1]]
        return Ragged(self.values[: offsets[-1]], offsets, types, texts)


def group_rows(ids: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Return the first row of each example and the one after its last; `ids` has that of each row, in turn."""
    return itertools.pairwise([*find_first_windows(ids).tolist(), len(ids)])


class Segments(NamedTuple):
    """The places of the examples in a flat batch of N tokens.

    `bounds` (B + 1,) int32 rises from 0 to N: example i is tokens `bounds[i]` to `bounds[i + 1]`; `longest` is the
    length of the longest. `runs` are the neighbours of equal length: (first token, examples, tokens of each).
    `unpack` (B, T) int64 is the token at each position of the padded batch, the example's first where there is padding.
    """

    bounds: torch.Tensor
    longest: int
    runs: tuple[tuple[int, int, int], ...]
    unpack: torch.Tensor


def to_ragged(column: pa.ChunkedArray | pa.Array) -> Ragged:
    """Return a list<int32> column without copying its values; a slice does not include those of the rows around it."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # an empty column of several chunks stays chunked
        array = pa.concat_arrays(array.chunks)
    offsets = array.offsets.to_numpy().astype(np.int64)
    return Ragged(array.values.to_numpy()[offsets[0] : offsets[-1]], offsets - offsets[0])


def read_tokens(table: pa.Table | pa.RecordBatch) -> Ragged:
    """Return the token ids of a table of inputs; of pairs with their types, if the table has them."""
    tokens = to_ragged(table["input_ids"])
    if "token_type_ids" not in table.schema.names:
        return tokens
    return tokens._replace(types=to_ragged(table["token_type_ids"]).values)


def average_windows(texts: Indices, rows: Indices, device: torch.device) -> tuple[Indices, torch.Tensor]:
    """Return the windows of the texts `rows`, (W,), and the matrix that makes means of their numbers, (B, W).

    A product with it gives the same sums on every device, and in every run.
    """
    counts = np.diff(texts)[rows]
    windows = np.concatenate([np.arange(texts[row], texts[row + 1]) for row in rows])
    owners = np.repeat(np.arange(len(rows)), counts)
    mean = (owners == np.arange(len(rows))[:, None]) / counts[:, None]
    return windows, to_device(torch.from_numpy(mean.astype(np.float32)), device)


def pad_rows(tokens: Ragged, rows: Sequence[int] | Indices, *, pad_token_id: int, device: torch.device) -> ModelInputs:
    """Return the rows padded on the right to the longest of them.

    `input_ids` (B, T) int64; `attention_mask` (B, T) int64, None if nothing is padded; `token_type_ids` (B, T) int64
    for pairs.
    """
    source, real = _places(tokens.offsets[rows], tokens.lengths[rows])
    inputs = {"input_ids": np.where(real, tokens.values[source], pad_token_id)}
    if tokens.types is not None:
        inputs["token_type_ids"] = np.where(real, tokens.types[source], 0)
    mask = None if real.all() else _tensor(real, device)
    return {name: _tensor(values, device) for name, values in inputs.items()} | {"attention_mask": mask}


def flatten_rows(
    tokens: Ragged, rows: Sequence[int] | Indices, *, first_position: int, device: torch.device
) -> ModelInputs:
    """Return the rows end to end as one sequence of N tokens, without any padding.

    `input_ids` and `position_ids` (1, N) int64, positions counted from `first_position` in each row; `token_type_ids`
    (1, N) int64 for pairs; `segments`; `attention_mask` (B, T) int64, 0 where `segments.unpack` pads.
    """
    lengths = tokens.lengths[rows]
    source, real = _places(tokens.offsets[rows], lengths)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths)
    inputs = {"input_ids": tokens.values[source[real]], "position_ids": within + first_position}
    if tokens.types is not None:
        inputs["token_type_ids"] = tokens.types[source[real]]
    segments = Segments(
        bounds=_tensor(bounds, device, np.int32),
        longest=int(lengths.max()),
        runs=tuple(_runs(lengths)),
        unpack=_tensor(_places(bounds[:-1], lengths)[0], device),
    )
    flattened = {name: _tensor(values[None], device) for name, values in inputs.items()}
    return flattened | {"attention_mask": _tensor(real, device), "segments": segments}


def _places(starts: Indices, lengths: Indices) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the index of the value at each position of a padded batch, (B, T), and whether it is real, not padding."""
    position = np.arange(int(lengths.max()))
    real = position < lengths[:, None]
    return np.where(real, starts[:, None] + position, starts[:, None]), real


def _runs(lengths: Indices) -> Iterator[tuple[int, int, int]]:
    """Yield (first token, examples, tokens of each) of neighbours of equal length."""
    start = 0
    for length, run in itertools.groupby(lengths.tolist()):
        count = len(list(run))
        yield start, count, length
        start += count * length


def _tensor(
    values: np.ndarray[Any, Any], device: torch.device, dtype: type[np.integer[Any]] = np.int64
) -> torch.Tensor:
    return to_device(torch.from_numpy(values.astype(dtype)), device)


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the CPU on `device`; the host does not wait for the copy to a GPU."""
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)
