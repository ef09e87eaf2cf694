"""Updates of a fine-tuning: the batches of its epochs, and the losses of micro-batches as shares of a batch's."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from pipeline.models.batching import Indices, plan_batches
from pipeline.models.processes import ALONE, Ranks
from pipeline.settings.task import FinetuneParams
from pipeline.train.objective import Plan, Step


def plan_epochs(lengths: Indices, params: FinetuneParams) -> Sequence[Step]:
    """Return every update of the training: batches of near-equal length, in a new random order each epoch.

    `lengths` (N,) are what the rows cost, in tokens. The order of an epoch depends on (seed, epoch) alone. Evaluations
    are spread evenly over each epoch, one at its end.
    """

    def draw(epoch: int, done: int) -> list[Step]:
        batches = plan_batches(
            lengths,
            batch_tokens=params.batch_tokens,
            batch_size=params.batch_size,
            rng=np.random.default_rng([params.seed, epoch]),
        )
        starts = range(0, len(batches), params.accumulate)
        updates = [tuple(batches[start : start + params.accumulate]) for start in starts]
        marks = {math.ceil(len(updates) * part / params.evaluations) for part in range(1, params.evaluations + 1)}
        return [
            Step(done + index, parts, epoch + index / len(updates), index in marks)
            for index, parts in enumerate(updates, start=1)
        ]

    return Plan(draw, epochs=params.epochs)


def share_losses(
    step: Step,
    compute: Callable[[Indices], torch.Tensor],
    *,
    weigh: Callable[[Indices], float | torch.Tensor] = len,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the loss of each micro-batch; they add up to the loss of one batch of all their rows.

    `compute(rows)` is the mean loss of some rows, `weigh(rows)` its divisor: their number, or the sum of their weights.
    It is computed on the CPU, so that no GPU is waited for.
    """
    whole = weigh(step.rows)
    for rows in step.parts:
        own = rows[ranks.rank :: ranks.size]
        # With more ranks than rows, this one adds zeros to the gradients of the same weights as the others.
        share = weigh(own) / whole if len(own) else 0.0
        yield compute(own if len(own) else rows[:1]) * share
