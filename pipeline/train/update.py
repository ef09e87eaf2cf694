"""One optimizer update: its random state, its gradients, and the check that its losses are finite."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.core.errors import UsageError, listed
from pipeline.models.device import Device, seeded
from pipeline.models.processes import ALONE, Ranks, sum_over_ranks
from pipeline.train.objective import Step


class Diverged(UsageError):
    """A loss is not finite: the learning rate is too high for these examples."""


def update(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    losses: Iterable[torch.Tensor],
    *,
    max_grad_norm: float,
    device: Device,
    ranks: Ranks = ALONE,
) -> torch.Tensor:
    """Make one optimizer update with the losses of its micro-batches; return their sum, a scalar left on the device.

    Each rank computes its share of every micro-batch; the gradients add up.
    """
    model.train()
    total = torch.zeros((), device=device.device)
    for loss in losses:
        loss.backward()
        total += loss.detach()
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    sum_over_ranks([*(parameter.grad for parameter in learning if parameter.grad is not None), total], ranks)
    torch.nn.utils.clip_grad_norm_(learning, max_grad_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def read_losses(
    steps: Sequence[Step],
    pending: list[torch.Tensor],
    name_examples: Callable[[Step], Iterable[str]],
    learning_rate: float,
) -> list[float]:
    """Return the pending losses of the steps as numbers; it waits for the device.

    Raises:
        Diverged: One is not finite; the message names the first, its step and its examples.
    """
    losses: list[float] = torch.stack(pending).tolist()
    for step, loss in zip(steps, losses, strict=True):
        if not math.isfinite(loss):
            raise Diverged(
                f"step {step.number}: the loss must be finite, found {loss} on the examples "
                f"{listed(name_examples(step))}. Lower `learning_rate` (now {learning_rate:g}), or correct these "
                "examples."
            )
    return losses


def require_finite_loss(loss: float, step: int, learning_rate: float) -> None:
    """Refuse a validation loss that is not finite: the last update before the evaluation broke the weights.

    Raises:
        Diverged: It is infinite or NaN.
    """
    if not math.isfinite(loss):
        raise Diverged(
            f"step {step}: the validation loss must be finite, found {loss}: the last update broke the weights. "
            f"Lower `learning_rate` (now {learning_rate:g})."
        )


@contextmanager
def seed_step(seed: int, step: int, *, rank: int = 0) -> Iterator[None]:
    """Make the global generators of the block depend on (seed, step, rank) alone, and restore them afterwards."""
    with seeded(int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])):
        yield
