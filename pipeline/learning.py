"""The parts of a training: the plan of its updates, one update, and one evaluation on validation."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.batches import Indices, Ragged, plan
from pipeline.device import Device
from pipeline.errors import UsageError, examples
from pipeline.inference import collate, forward, logits
from pipeline.metrics import macro_f1
from pipeline.optimizer import balanced_weights
from pipeline.parallel import ALONE, Ranks, add_up
from pipeline.params import FinetuneParams


class Rows(NamedTuple):
    """The examples of one split: tokens, class indices (N,) int64 and stable ids."""

    tokens: Ragged
    labels: Indices
    ids: tuple[str, ...]


class Evaluation(NamedTuple):
    """How the model did on validation after `step` updates; `train_loss` is the mean since the evaluation before."""

    step: int
    epoch: float
    learning_rate: float
    train_loss: float
    loss: float
    accuracy: float
    macro_f1: float


class Step(NamedTuple):
    """One planned update: its number from 1, the rows of its micro-batches, and how many epochs are done after it."""

    number: int
    parts: tuple[Indices, ...]
    epoch: float
    evaluate: bool

    @property
    def rows(self) -> Indices:
        """All rows of the update."""
        return np.concatenate(self.parts)


def plan_steps(lengths: Indices, params: FinetuneParams) -> list[Step]:
    """Return every update of the training: batches of near-equal length, in an order drawn anew each epoch.

    The order of an epoch depends on (seed, epoch) alone. Evaluations are spread evenly over each epoch, one at its end.
    """
    steps: list[Step] = []
    for epoch in range(params.epochs):
        batches = plan(
            lengths,
            batch_tokens=params.batch_tokens,
            batch_size=params.batch_size,
            rng=np.random.default_rng([params.seed, epoch]),
        )
        starts = range(0, len(batches), params.accumulate)
        updates = [tuple(batches[start : start + params.accumulate]) for start in starts]
        marks = {math.ceil(len(updates) * part / params.evaluations) for part in range(1, params.evaluations + 1)}
        for index, parts in enumerate(updates, start=1):
            steps.append(Step(len(steps) + 1, parts, epoch + index / len(updates), index in marks))
    return steps


def class_weights(train: Rows, params: FinetuneParams, classes: int, device: Device) -> torch.Tensor | None:
    """Return the weight of each class in the loss, (C,) float32 on the device; None where all weigh the same."""
    if params.class_weights == "none":
        return None
    return balanced_weights(torch.from_numpy(train.labels), classes).to(device.device)


def update(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    train: Rows,
    parts: Sequence[Indices],
    params: FinetuneParams,
    weights: torch.Tensor | None,
    device: Device,
    ranks: Ranks = ALONE,
) -> torch.Tensor:
    """Make one optimizer update on the micro-batches and return its loss, a scalar left on the device.

    The loss is that of one batch of all their rows: a mean, weighted by class, to which each micro-batch adds a share.
    Each of the processes `ranks` computes its share of every micro-batch; the gradients add up.
    """
    model.train()
    whole = mass(train.labels[np.concatenate(parts)], weights)
    total = torch.zeros((), device=device.device)
    for rows in parts:
        mine = rows[ranks.rank :: ranks.size]
        # More processes than rows: this one adds zeros, to the gradients of the same weights as the others.
        share = mass(train.labels[mine], weights) / whole if len(mine) else 0.0
        mine = mine if len(mine) else rows[:1]
        labels = torch.from_numpy(train.labels[mine]).to(device.device)
        found = forward(model, collate(model, train.tokens, mine, device), device)
        loss = cross_entropy(found, labels, weights, label_smoothing=params.label_smoothing) * share
        loss.backward()
        total += loss.detach()
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    add_up([*(parameter.grad for parameter in learning if parameter.grad is not None), total], ranks)
    torch.nn.utils.clip_grad_norm_(learning, params.max_grad_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def mass(labels: Indices, weights: torch.Tensor | None) -> float | torch.Tensor:
    """Return what a mean loss over the rows is divided by: their number, or the sum of the weights of their classes."""
    return float(len(labels)) if weights is None else weights[torch.from_numpy(labels).to(weights.device)].sum()


def measure(
    model: PreTrainedModel,
    validation: Rows,
    step: Step,
    learning_rate: float,
    train_loss: float,
    params: FinetuneParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Evaluation:
    """Return how the model does on validation: plain cross-entropy, accuracy and macro-F1."""
    # Without gradients a batch needs a fraction of the memory, so it may be larger.
    tokens, size = 4 * params.batch_tokens, 4 * params.batch_size
    found = logits(model, validation.tokens, device, batch_tokens=tokens, batch_size=size, ranks=ranks)
    classes = found.shape[1]
    cells = validation.labels * classes + found.argmax(-1).numpy()
    confusion = np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.float64)
    return Evaluation(
        step=step.number,
        epoch=step.epoch,
        learning_rate=learning_rate,
        train_loss=train_loss,
        loss=float(cross_entropy(found, torch.from_numpy(validation.labels))),
        accuracy=float(confusion.trace() / confusion.sum()),
        macro_f1=macro_f1(confusion),
    )


def look(steps: Sequence[Step], waiting: list[torch.Tensor], train: Rows, params: FinetuneParams) -> list[float]:
    """Return the losses of the steps as numbers.

    Raises:
        UsageError: One is not finite; the message names the first, its step and its examples.
    """
    losses: list[float] = torch.stack(waiting).tolist()
    for step, loss in zip(steps, losses, strict=True):
        if not math.isfinite(loss):
            ids = examples(train.ids[row] for row in step.rows)
            raise UsageError(
                f"the loss at step {step.number} is {loss}, on the examples {ids}."
                f" Lower `learning_rate` (now {params.learning_rate:g}) or look at these examples."
            )
    return losses


def require_finite(found: Evaluation, params: FinetuneParams) -> None:
    """Raise when the weights have become useless in the very last update before an evaluation."""
    if not math.isfinite(found.loss):
        raise UsageError(
            f"the validation loss after step {found.step} is {found.loss}: the last update broke the weights. Lower "
            f"`learning_rate` (now {params.learning_rate:g})."
        )
