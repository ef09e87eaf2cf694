"""The operations of a fine-tuning step, counted from the shapes of its products, and the peak rate of this device."""

import time
from typing import NamedTuple

import numpy as np
import torch

from pipeline.models.device import Device

# A GPU reaches its peak on large products only.
SIZES = {"cpu": 2048, "cuda": 8192}


class Shape(NamedTuple):
    """The sizes of a BERT-like encoder."""

    hidden: int
    intermediate: int
    layers: int


def count_whole(lengths: np.ndarray, shape: Shape) -> float:
    """Return the operations of forward and backward through all layers on real tokens, not padding.

    A multiplication with its addition counts as two: 2 forward, 4 backward, for each of the 4 h^2 + 2 h i weights of a
    layer and the 2 s h of the attention of a token among s.

    Source: Kaplan et al. 2020, section 2.1, without embeddings and head.
    """
    tokens, pairs = float(lengths.sum()), float((lengths.astype(np.float64) ** 2).sum())
    weights = 4 * shape.hidden**2 + 2 * shape.hidden * shape.intermediate
    return 6 * shape.layers * (weights * tokens + 2 * shape.hidden * pairs)


def count_frozen(lengths: np.ndarray, shape: Shape) -> float:
    """Return the operations of `count_whole` that remain if the embeddings are frozen: no gradient reaches them.

    The first layer's query, key and value then need no gradient with respect to their input.
    """
    return count_whole(lengths, shape) - 2 * 3 * shape.hidden**2 * float(lengths.sum())


def count_needed(lengths: np.ndarray, shape: Shape) -> float:
    """Return the operations of `count_whole` that remain if the last layer computes the first token alone.

    The embeddings are frozen. The last layer still computes the keys and values of every token.
    """
    tokens, examples = float(lengths.sum()), float(len(lengths))
    pairs = float((lengths.astype(np.float64) ** 2).sum())
    others = 2 * shape.hidden**2 + 2 * shape.hidden * shape.intermediate
    spared = 6 * (others * (tokens - examples) + 2 * shape.hidden * (pairs - tokens))
    return count_frozen(lengths, shape) - spared


def measure_peak(device: Device, *, repeats: int = 12) -> float:
    """Return the operations per second of the fastest of `repeats` products of two large square matrices.

    They are in the precision of the device: emulated bf16 runs at about a hundredth of the speed of fp32. The peak of
    the GPU's memory is counted anew afterwards, without the matrices.
    """
    size = SIZES[device.device.type]
    dtype = torch.bfloat16 if device.precision == "bf16" else torch.float32
    left, right = (torch.randn(size, size, device=device.device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats):
        wait_for(device.device)
        start = time.perf_counter()
        left @ right
        wait_for(device.device)
        best = min(best, time.perf_counter() - start)
    if device.device.type == "cuda":
        del left, right
        torch.cuda.reset_peak_memory_stats()
    return 2 * size**3 / best


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished its work, so that a clock counts it."""
    if device.type == "cuda":
        torch.cuda.synchronize()
