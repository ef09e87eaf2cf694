"""The objective of multi-label classification: its loss, and its evaluation on validation."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import PreTrainedModel

from pipeline.finetune.head import find_output_layer
from pipeline.finetune.selection import improves
from pipeline.finetune.updates import plan_epochs, share_losses
from pipeline.kinds.multi_label_classification.metrics import (
    EVEN_THRESHOLD,
    Bools,
    apply_thresholds,
    compute_set_metrics,
    score_label_sets,
    to_indicators,
)
from pipeline.kinds.multi_label_classification.settings import LabelSetFinetuneParams
from pipeline.models.batches import Ragged, to_device, to_ragged
from pipeline.models.batching import Indices
from pipeline.models.device import Device
from pipeline.models.inference import collate, compute_logits, forward
from pipeline.models.layers import scale_layer_rates
from pipeline.models.processes import ALONE, Ranks
from pipeline.train.objective import Moment, Objective, Step


class SetRows(NamedTuple):
    """The examples of one split: tokens, whether each has each class, (N, C), and stable ids."""

    tokens: Ragged
    labels: Bools
    ids: tuple[str, ...]


class SetScores(NamedTuple):
    """The scores on validation after `step` updates, of answers from a probability of one half on.

    `train_loss` is the mean since the last evaluation.
    """

    step: int
    epoch: float
    learning_rate: float
    train_loss: float
    loss: float
    micro_f1: float
    macro_f1: float
    mean_average_precision: float


def set_rows_of(table: pa.Table, split: str) -> SetRows:
    """Return the rows of one split of a table of tokens."""
    part = table.filter(pc.equal(table["split"], split))
    return SetRows(to_ragged(part["input_ids"]), to_indicators(part["labels"], part), tuple(part["id"].to_pylist()))


def _start_biases(model: PreTrainedModel, train: SetRows, _params: LabelSetFinetuneParams, _device: Device) -> None:
    """Set the bias of each class to the log-odds of its share in train, so that no update is spent on rare classes.

    Source: Lin et al. 2017, Focal Loss, section 3.3. A checkpoint that is restored later overwrites it.
    """
    layer = find_output_layer(model)
    if layer is not None and layer.bias is not None:
        share = (train.labels.sum(axis=0) + 1) / (len(train.labels) + 2)
        with torch.no_grad():
            layer.bias.copy_(torch.from_numpy(np.log(share / (1 - share))))


def _losses(
    model: PreTrainedModel,
    train: SetRows,
    _prepared: None,
    step: Step,
    _params: LabelSetFinetuneParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the binary cross-entropy of each micro-batch, a mean over rows and classes."""

    def compute(rows: Indices) -> torch.Tensor:
        targets = to_device(torch.from_numpy(train.labels[rows].astype(np.float32)), device.device)
        logits = forward(model, collate(model, train.tokens, rows, device), device)
        return binary_cross_entropy_with_logits(logits, targets)

    return share_losses(step, compute, ranks=ranks)


def _measure(
    model: PreTrainedModel,
    validation: SetRows,
    moment: Moment,
    params: LabelSetFinetuneParams,
    device: Device,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> SetScores:
    """Return the scores of the model on validation; a metric that no label defines is 0."""
    # Without gradients a batch needs a fraction of the memory, so it may be larger.
    tokens, size = 4 * params.batch_tokens, 4 * params.batch_size
    logits = compute_logits(
        model, validation.tokens, device, batch_tokens=tokens, batch_size=size, ranks=ranks, go_on=go_on
    )
    targets = torch.from_numpy(validation.labels.astype(np.float32))
    probabilities = torch.sigmoid(logits.double()).numpy()
    predicted = apply_thresholds(probabilities, np.full(probabilities.shape[1], EVEN_THRESHOLD))
    scored = score_label_sets(validation.labels, probabilities, predicted)
    micro, macro, precision, _ = np.nan_to_num(compute_set_metrics(scored, np.ones(len(targets)))).tolist()
    return SetScores(*moment, float(binary_cross_entropy_with_logits(logits, targets)), micro, macro, precision)


def _describe(scores: SetScores) -> str:
    return (
        f"validation loss {scores.loss:.4f}, micro-F1 {scores.micro_f1:.4f}, macro-F1 {scores.macro_f1:.4f}, mean "
        f"average precision {scores.mean_average_precision:.4f}"
    )


LABEL_SETS = Objective(
    plan=lambda train, params: plan_epochs(train.tokens.lengths, params),
    prepare=_start_biases,
    losses=_losses,
    measure=_measure,
    evaluation=SetScores,
    better=improves,
    describe=_describe,
    outputs=lambda model, train, rows, device: forward(model, collate(model, train.tokens, rows, device), device),
    scales=lambda model, params: scale_layer_rates(model, params.layer_decay),
    name_examples=lambda train, step: (train.ids[row] for row in step.rows),
)
