"""Batches by a budget of tokens: which rows share one."""

import numpy as np

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
