"""Learning the classes of labelled texts: the plan of its updates, their losses, and an evaluation on validation."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.evaluate.metrics import macro_f1
from pipeline.models.batches import Indices, Ragged, on_device, plan
from pipeline.models.device import Device
from pipeline.models.inference import collate, forward, logits
from pipeline.models.layers import layer_scales
from pipeline.models.processes import ALONE, Ranks
from pipeline.settings.task import FinetuneParams
from pipeline.train.objective import Moment, Objective, Plan, Step


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


def plan_steps(lengths: Indices, params: FinetuneParams) -> Sequence[Step]:
    """Return every update of the training: batches of near-equal length, in an order drawn anew each epoch.

    The order of an epoch depends on (seed, epoch) alone. Evaluations are spread evenly over each epoch, one at its end.
    """

    def draw(epoch: int, done: int) -> list[Step]:
        batches = plan(
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


def class_weights(train: Rows, params: FinetuneParams, classes: int) -> torch.Tensor | None:
    """Return the weight of each class in the loss, (C,) float32 on the CPU; None where all weigh the same."""
    if params.class_weights == "none":
        return None
    return balanced_weights(torch.from_numpy(train.labels), classes)


def losses(
    model: PreTrainedModel,
    train: Rows,
    weights: torch.Tensor | None,
    step: Step,
    params: FinetuneParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the loss of each micro-batch, which add up to that of one batch of all their rows.

    That is a mean, weighted by class, to which each micro-batch adds a share.
    """
    there = None if weights is None else on_device(weights, device.device)
    whole = mass(train.labels[step.rows], weights)
    for rows in step.parts:
        mine = rows[ranks.rank :: ranks.size]
        # More processes than rows: this one adds zeros, to the gradients of the same weights as the others.
        share = mass(train.labels[mine], weights) / whole if len(mine) else 0.0
        mine = mine if len(mine) else rows[:1]
        labels = on_device(torch.from_numpy(train.labels[mine]), device.device)
        found = forward(model, collate(model, train.tokens, mine, device), device)
        yield cross_entropy(found, labels, there, label_smoothing=params.label_smoothing) * share


def mass(labels: Indices, weights: torch.Tensor | None) -> float | torch.Tensor:
    """Return what a mean loss over the rows is divided by: their number, or the sum of the weights of their classes.

    It is computed on the CPU, where the labels are, so that no GPU is waited for.
    """
    return float(len(labels)) if weights is None else weights[torch.from_numpy(labels)].sum()


def measure(
    model: PreTrainedModel,
    validation: Rows,
    moment: Moment,
    params: FinetuneParams,
    device: Device,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Return how the model does on validation: plain cross-entropy, accuracy and macro-F1."""
    # Without gradients a batch needs a fraction of the memory, so it may be larger.
    tokens, size = 4 * params.batch_tokens, 4 * params.batch_size
    found = logits(model, validation.tokens, device, batch_tokens=tokens, batch_size=size, ranks=ranks, go_on=go_on)
    classes = found.shape[1]
    cells = validation.labels * classes + found.argmax(-1).numpy()
    confusion = np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.float64)
    return Evaluation(
        *moment,
        loss=float(cross_entropy(found, torch.from_numpy(validation.labels))),
        accuracy=float(confusion.trace() / confusion.sum()),
        macro_f1=macro_f1(confusion),
    )


def better(found: Evaluation, best: Evaluation, params: FinetuneParams) -> bool:
    """Return whether an evaluation is better than the best before it, by the metric that chooses."""
    if params.metric == "loss":
        return found.loss < best.loss
    return bool(getattr(found, params.metric) > getattr(best, params.metric))


def told(found: Evaluation) -> str:
    """Return an evaluation in words."""
    return f"validation loss {found.loss:.4f}, accuracy {found.accuracy:.4f}, macro-F1 {found.macro_f1:.4f}"


CLASSES = Objective(
    plan=lambda train, params: plan_steps(train.tokens.lengths, params),
    prepare=lambda model, train, params, device: class_weights(train, params, int(model.config.num_labels or 0)),  # noqa: ARG005
    losses=losses,
    measure=measure,
    evaluation=Evaluation,
    better=better,
    told=told,
    outputs=lambda model, train, rows, device: forward(model, collate(model, train.tokens, rows, device), device),
    scales=lambda model, params: layer_scales(model, params.layer_decay),
    names=lambda train, step: (train.ids[row] for row in step.rows),
)


def balanced_weights(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return a weight a class, (C,) float32, inverse to its count in `labels` (N,), whose mean over the rows is 1.

    A class without rows has weight 0.

    Source: King and Zeng 2001, Logistic Regression in Rare Events Data; scikit-learn's `class_weight="balanced"`.
    """
    counts = torch.bincount(labels, minlength=classes).float()
    present = (counts > 0).sum()
    return torch.where(counts > 0, counts.sum() / (present * counts.clamp(min=1)), 0.0)
