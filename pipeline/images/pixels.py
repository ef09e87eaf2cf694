"""Pixels of N images of one size in a memory-mapped table, some at a time, and the views that a training draws."""

import json
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.evaluate.metrics import Ints
from pipeline.images.shaping import CHANNELS, Bytes, PixelScale

_DRAWS = 1  # tells the random numbers of the views from those of the order, which has the same seed and epoch


class Pixels(NamedTuple):
    """The images at `rows` (N,) of the chunks of a table, each (n, 3, H, W); nothing is read before it is taken."""

    chunks: tuple[Bytes, ...]
    starts: Ints
    rows: Ints
    scale: PixelScale

    @property
    def lengths(self) -> Ints:
        """What the rows cost, (N,): one each."""
        return np.ones(len(self.rows), np.int64)

    @property
    def side(self) -> tuple[int, int]:
        """The height and the width of the images."""
        return self.chunks[0].shape[2], self.chunks[0].shape[3]


class Crop(NamedTuple):
    """The part of each of N images that an epoch shows: its offsets, (N, 2) in [0, 2m], and whether it is mirrored."""

    offsets: Ints
    mirrored: np.ndarray[tuple[int], np.dtype[np.bool_]]


def to_pixels(table: pa.Table | pa.RecordBatch, rows: Ints | None = None) -> Pixels:
    """Return the pixels of a table of inputs, or of a record batch of it; of all rows unless some are named."""
    schema = table.schema.metadata
    height, width = json.loads(schema[b"size"])
    scale = PixelScale(**json.loads(schema[b"scale"]))
    column = table["pixels"]
    arrays = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    chunks = tuple(_view(array).reshape(-1, CHANNELS, height, width) for array in arrays)
    starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])
    return Pixels(chunks, starts, np.arange(starts[-1]) if rows is None else rows, scale)


def take_pixels(pixels: Pixels, indices: Ints) -> Bytes:
    """Return the images at `indices` of the rows, (B, 3, H, W)."""
    rows = pixels.rows[indices]
    places = np.searchsorted(pixels.starts, rows, side="right") - 1
    return np.stack([pixels.chunks[at][row - pixels.starts[at]] for at, row in zip(places, rows, strict=True)])


@lru_cache(maxsize=2)
def draw_view(seed: int, epoch: int, rows: int, margin: int, *, flip: bool) -> Crop:
    """Return the view of each row in an epoch; it depends on (seed, epoch, row) alone, so a resumed training has it.

    Offsets are uniform in [0, 2 * margin], and half of the images are mirrored if they may be.
    """
    draw = np.random.default_rng([seed, epoch, _DRAWS])
    offsets = draw.integers(0, 2 * margin + 1, size=(rows, 2))
    return Crop(offsets, draw.random(rows) < (0.5 if flip else 0.0))


def show(images: Bytes, view: Crop, margin: int) -> Bytes:
    """Return images, (B, 3, H, W), of which each is shifted by its offset less `margin`, and perhaps mirrored.

    What a shift leaves empty repeats the edge.
    """
    height, width = images.shape[2:]
    down = np.clip(np.arange(height) + view.offsets[:, :1] - margin, 0, height - 1)
    across = np.clip(np.arange(width) + view.offsets[:, 1:] - margin, 0, width - 1)
    across = np.where(view.mirrored[:, None], across[:, ::-1], across)
    taken = images[np.arange(len(images))[:, None, None], :, down[:, :, None], across[:, None, :]]
    return np.ascontiguousarray(taken.transpose(0, 3, 1, 2))


def _view(array: pa.Array) -> Bytes:
    """Return the bytes of a column of binaries of one size without copying them, (n * size,)."""
    size = array.type.byte_width
    values = np.frombuffer(array.buffers()[1], np.uint8)
    return values[array.offset * size : (array.offset + len(array)) * size]
