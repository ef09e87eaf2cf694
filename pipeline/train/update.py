"""One optimizer update, and the check that its losses are finite."""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from transformers import PreTrainedModel

from pipeline.core.errors import UsageError, listed
from pipeline.models.device import Device
from pipeline.models.processes import ALONE, Ranks, add_up
from pipeline.train.objective import Step


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

    Each of the processes `ranks` computes its share of every micro-batch; the gradients add up.
    """
    model.train()
    total = torch.zeros((), device=device.device)
    for loss in losses:
        loss.backward()
        total += loss.detach()
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    add_up([*(parameter.grad for parameter in learning if parameter.grad is not None), total], ranks)
    torch.nn.utils.clip_grad_norm_(learning, max_grad_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def look(
    steps: Sequence[Step], waiting: list[torch.Tensor], names: Callable[[Step], Iterable[str]], learning_rate: float
) -> list[float]:
    """Return the losses of the steps as numbers.

    Raises:
        UsageError: One is not finite; the message names the first, its step and its examples.
    """
    losses: list[float] = torch.stack(waiting).tolist()
    for step, loss in zip(steps, losses, strict=True):
        if not math.isfinite(loss):
            raise UsageError(
                f"the loss at step {step.number} is {loss}, on the examples {listed(names(step))}."
                f" Lower `learning_rate` (now {learning_rate:g}) or look at these examples."
            )
    return losses


def require_finite(loss: float, step: int, learning_rate: float) -> None:
    """Raise when the weights have become useless in the very last update before an evaluation."""
    if not math.isfinite(loss):
        raise UsageError(
            f"the validation loss after step {step} is {loss}: the last update broke the weights. Lower "
            f"`learning_rate` (now {learning_rate:g})."
        )
