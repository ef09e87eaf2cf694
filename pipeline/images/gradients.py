"""Features of small grey images for linear models: their pixels, and histograms of oriented gradients."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from pipeline.evaluate.metrics import Floats
from pipeline.images.decoding import open_picture

_SIDE, _CELL, _BINS = 32, 4, 9
_ROWS = 1024  # at a time: an image takes 300 kB for a moment
_TINY = 1e-6  # of a norm, for blocks without any gradient


def shrink_images(encoded: Iterable[bytes]) -> Floats:
    """Return images in grey, (N, 32, 32) in [0, 1]."""
    shrunk = [
        np.asarray(open_picture(image).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
        for image in encoded
    ]
    return np.stack(shrunk).astype(np.float64) / 255


def histogram_gradients(images: Floats) -> Floats:
    """Return for each image, (N, 32, 32), how much of each of 9 directions its cells of 4 x 4 pixels have, (N, 576).

    Each gradient counts by its size, its direction without sign; blocks of 2 x 2 cells are scaled to length 1.

    Source: Dalal and Triggs (2005), Histograms of Oriented Gradients for Human Detection, section 6; here blocks do not
    overlap.
    """
    parts = [_histogram(images[start : start + _ROWS]) for start in range(0, max(1, len(images)), _ROWS)]
    return np.concatenate(parts)


def _histogram(images: Floats) -> Floats:
    down, across = np.gradient(images, axis=(1, 2))
    sizes, angles = np.hypot(down, across), np.arctan2(down, across) % np.pi
    bins = np.minimum((angles / np.pi * _BINS).astype(np.int64), _BINS - 1)
    weights = np.where(bins[..., None] == np.arange(_BINS), sizes[..., None], 0.0)
    cells = _SIDE // _CELL
    histograms = weights.reshape(-1, cells, _CELL, cells, _CELL, _BINS).sum(axis=(2, 4))
    blocks = histograms.reshape(-1, cells // 2, 2, cells // 2, 2, _BINS).transpose(0, 1, 3, 2, 4, 5)
    vectors = blocks.reshape(len(images), cells // 2, cells // 2, 4 * _BINS)
    scaled = vectors / np.sqrt((vectors**2).sum(axis=-1, keepdims=True) + _TINY**2)
    return np.asarray(scaled.reshape(len(images), -1))
