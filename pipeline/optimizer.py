"""AdamW as BERT uses it, and how its learning rate moves."""

import math
from typing import Any, Literal

import torch
from torch import nn


def build(model: nn.Module, *, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Return fused AdamW over the parameters that learn; weights of one dimension (biases, norms) do not decay.

    Source: Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization; Devlin et al. 2019, appendix A.2.
    """
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in learning if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in learning if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, fused=True)


def rate(step: int, *, steps: int, warmup: float, schedule: Literal["linear", "cosine"]) -> float:
    """Return the share of the peak learning rate at update `step`, 0 to `steps` - 1: in (0, 1], rising, then falling.

    The first `warmup` of the steps rise by equal amounts to 1; the others fall to 0, which would be reached at `steps`.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    left = (steps - step) / (steps - rising)
    return left if schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def balanced_weights(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return a weight a class, (C,) float32, inverse to its count in `labels` (N,), whose mean over the rows is 1.

    A class without rows has weight 0.

    Source: King and Zeng 2001, Logistic Regression in Rare Events Data; scikit-learn's `class_weight="balanced"`.
    """
    counts = torch.bincount(labels, minlength=classes).float()
    present = (counts > 0).sum()
    return torch.where(counts > 0, counts.sum() / (present * counts.clamp(min=1)), 0.0)
