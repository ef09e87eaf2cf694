"""AdamW as used by BERT, and the schedule of its learning rate."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import nn


def build_optimizer(
    model: nn.Module, *, learning_rate: float, weight_decay: float, scales: Mapping[str, float]
) -> torch.optim.AdamW:
    """Return fused AdamW over the parameters that learn; weights of one dimension (biases, norms) do not decay.

    `scales` multiplies the learning rate of a parameter, by name; one that is not in it has 1.

    Source: Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization; Devlin et al. 2019, appendix A.2.
    """
    groups: dict[tuple[bool, float], dict[str, Any]] = {}
    learning = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    for name, parameter in sorted(learning, key=lambda named: named[1].ndim <= 1):
        decays, scale = parameter.ndim > 1, scales.get(name, 1.0)
        new = {"params": [], "weight_decay": weight_decay if decays else 0.0, "scale": scale}
        groups.setdefault((decays, scale), new)["params"].append(parameter)
    optimizer = torch.optim.AdamW(list(groups.values()), lr=learning_rate, fused=True)
    set_rate(optimizer, learning_rate)
    return optimizer


def schedule_rate(step: int, *, steps: int, warmup: float, schedule: Literal["linear", "cosine"]) -> float:
    """Return the share of the peak learning rate at update `step`, 0 to `steps` - 1: in (0, 1], rising, then falling.

    Over the first `warmup` of the steps it rises by equal amounts to 1; then it falls towards 0 at `steps`.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    left = (steps - step) / (steps - rising)
    return left if schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of every group, times the group's own scale."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["scale"]
