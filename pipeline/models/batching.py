"""Batches by a budget of tokens: which rows share one."""

from bisect import bisect_left, bisect_right
from itertools import pairwise

import numpy as np

TOKENS_A_BATCH = 64  # that a CPU computes in the time that starting a batch takes, roughly

Indices = np.ndarray[tuple[int], np.dtype[np.int64]]


def plan_batches(
    lengths: Indices, *, batch_tokens: int, batch_size: int, rng: np.random.Generator | None
) -> list[Indices]:
    """Return the rows of each batch: every row exactly once, rows of near-equal length together.

    A batch has at most `batch_size` rows, and rows times its longest row is at most `batch_tokens` (a single row longer
    than that is a batch of its own). With `rng`, rows of equal length and the batches come in random order; without,
    rows are sorted from long to short, so that a batch that does not fit in memory fails first.
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


def plan_tight_batches(lengths: Indices, *, batch_tokens: int, batch_size: int) -> list[Indices]:
    """Return batches as `plan_batches` does without `rng`, but with the least padding that more batches are worth.

    A batch may also end where a shorter row follows. Of all such plans it is one with the least padded tokens, a batch
    counted as `TOKENS_A_BATCH` more. Few rows, whose lengths lie far apart, gain most.
    """
    order = np.argsort(-lengths, kind="stable")
    sizes = np.maximum(lengths[order], 1).tolist()
    shorter = (np.flatnonzero(np.diff(lengths[order])) + 1).tolist()
    costs, starts = {0: 0}, dict[int, int]()  # of the best batches before a row, and where the last of them starts
    for start in range(len(sizes)):
        if start not in costs:
            continue
        limit = min(len(sizes), start + max(1, min(batch_size, batch_tokens // sizes[start])))
        for end in (*shorter[bisect_right(shorter, start) : bisect_left(shorter, limit)], limit):
            cost = costs[start] + TOKENS_A_BATCH + sizes[start] * (end - start)
            if cost < costs.get(end, cost + 1):
                costs[end], starts[end] = cost, start
    bounds = [len(sizes)]
    while bounds[-1]:
        bounds.append(starts[bounds[-1]])
    return [order[start:stop] for start, stop in pairwise(reversed(bounds))]
