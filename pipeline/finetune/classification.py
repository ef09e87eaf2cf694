"""The objective of single-label classification: its updates, its loss, and its evaluation on validation."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.evaluate.metrics import macro_f1
from pipeline.finetune.selection import improves
from pipeline.finetune.updates import plan_epochs, share_losses
from pipeline.models.batches import Ragged, read_tokens, to_device
from pipeline.models.batching import Indices
from pipeline.models.device import Device
from pipeline.models.inference import collate, compute_logits, forward
from pipeline.models.inputs import find_first_windows, window_stride
from pipeline.models.layers import scale_layer_rates
from pipeline.models.processes import ALONE, Ranks
from pipeline.settings.shared.classes import ClassifierParams
from pipeline.train.objective import Moment, Objective, Step


class Rows(NamedTuple):
    """The examples of one split: tokens, perhaps in windows, class indices (N,) int64 and stable ids."""

    tokens: Ragged
    labels: Indices
    ids: tuple[str, ...]


class ValidationScores(NamedTuple):
    """The scores on validation after `step` updates; `train_loss` is the mean since the last evaluation."""

    step: int
    epoch: float
    learning_rate: float
    train_loss: float
    loss: float
    accuracy: float
    macro_f1: float


def rows_of(table: pa.Table, split: str) -> Rows:
    """Return the rows of one split of a table of tokens."""
    part = table.filter(pc.equal(table["split"], split))
    tokens, labels, ids = read_tokens(part), part["labels"].to_numpy().astype(np.int64), part["id"].to_pylist()
    if window_stride(table) is None:
        return Rows(tokens, labels, tuple(ids))
    first = find_first_windows(ids)
    bounds = np.append(first, len(ids))
    return Rows(tokens._replace(texts=bounds), labels[first], tuple(ids[row] for row in first))


def balanced_weights(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the weight of each class, (C,) float32, inverse to its count in `labels` (N,); their mean over rows is 1.

    A class without rows has weight 0.

    Source: King and Zeng 2001, Logistic Regression in Rare Events Data; scikit-learn's `class_weight="balanced"`.
    """
    counts = torch.bincount(labels, minlength=classes).float()
    present = (counts > 0).sum()
    return torch.where(counts > 0, counts.sum() / (present * counts.clamp(min=1)), 0.0)


def _class_weights(
    model: PreTrainedModel, train: Rows, params: ClassifierParams, _device: Device
) -> torch.Tensor | None:
    """Return the weight of each class in the loss, (C,) float32 on the CPU; None if all weigh the same."""
    if params.class_weights == "none":
        return None
    return balanced_weights(torch.from_numpy(train.labels), int(model.config.num_labels or 0))


def _losses(
    model: PreTrainedModel,
    train: Rows,
    weights: torch.Tensor | None,
    step: Step,
    params: ClassifierParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the cross-entropy of each micro-batch, a mean weighted by class."""

    def compute(rows: Indices) -> torch.Tensor:
        return forward(model, collate(model, train.tokens, rows, device), device)

    return share_class_losses(train.labels, weights, step, params, device, compute, ranks)


def share_class_losses(
    labels: Indices,
    weights: torch.Tensor | None,
    step: Step,
    params: ClassifierParams,
    device: Device,
    compute: Callable[[Indices], torch.Tensor],
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the cross-entropy of each micro-batch of rows with these `labels`, a mean weighted by class.

    `compute(rows)` are the logits of some rows, (B, C), on the device.
    """
    class_weights = None if weights is None else to_device(weights, device.device)

    def compute_loss(rows: Indices) -> torch.Tensor:
        actual = to_device(torch.from_numpy(labels[rows]), device.device)
        return cross_entropy(compute(rows), actual, class_weights, label_smoothing=params.label_smoothing)

    return share_losses(step, compute_loss, weigh=lambda rows: _total_weight(labels[rows], weights), ranks=ranks)


def _total_weight(labels: Indices, weights: torch.Tensor | None) -> float | torch.Tensor:
    """Return the divisor of a mean loss over the rows: their number, or the sum of the weights of their classes.

    It is computed on the CPU, where the labels are, so that no GPU is waited for.
    """
    return float(len(labels)) if weights is None else weights[torch.from_numpy(labels)].sum()


def _measure(
    model: PreTrainedModel,
    validation: Rows,
    moment: Moment,
    params: ClassifierParams,
    device: Device,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> ValidationScores:
    """Return the scores of the model on validation: plain cross-entropy, accuracy and macro-F1."""
    # Without gradients a batch needs a fraction of the memory, so it may be larger.
    tokens, size = 4 * params.batch_tokens, 4 * params.batch_size
    logits = compute_logits(
        model, validation.tokens, device, batch_tokens=tokens, batch_size=size, ranks=ranks, go_on=go_on
    )
    return score_logits(logits, validation.labels, moment)


def score_logits(logits: torch.Tensor, labels: Indices, moment: Moment) -> ValidationScores:
    """Return the scores of logits, (N, C), on rows with these class indices, (N,)."""
    classes = logits.shape[1]
    cells = labels * classes + logits.argmax(-1).numpy()
    confusion = np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.float64)
    return ValidationScores(
        *moment,
        loss=float(cross_entropy(logits, torch.from_numpy(labels))),
        accuracy=float(confusion.trace() / confusion.sum()),
        macro_f1=macro_f1(confusion),
    )


def _describe(scores: ValidationScores) -> str:
    return f"validation loss {scores.loss:.4f}, accuracy {scores.accuracy:.4f}, macro-F1 {scores.macro_f1:.4f}"


CLASSES = Objective(
    plan=lambda train, params: plan_epochs(train.tokens.lengths, params),
    prepare=_class_weights,
    losses=_losses,
    measure=_measure,
    evaluation=ValidationScores,
    better=improves,
    describe=_describe,
    outputs=lambda model, train, rows, device: forward(model, collate(model, train.tokens, rows, device), device),
    scales=lambda model, params: scale_layer_rates(model, params.layer_decay),
    name_examples=lambda train, step: (train.ids[row] for row in step.rows),
)
