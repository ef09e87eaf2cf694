"""The objective of text regression: squared error of numbers that are standardised, and its evaluation."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.nn.functional import mse_loss
from transformers import PreTrainedModel

from pipeline.core.errors import DataError
from pipeline.core.tables import task_of
from pipeline.evaluate.metrics import Floats
from pipeline.finetune.selection import improves
from pipeline.finetune.updates import plan_epochs, share_losses
from pipeline.kinds.text_regression.metrics import compute_number_metrics, score_numbers
from pipeline.kinds.text_regression.settings import NumberFinetuneParams
from pipeline.models.batches import Ragged, read_tokens, to_device
from pipeline.models.batching import Indices
from pipeline.models.device import Device
from pipeline.models.inference import collate, compute_logits, forward
from pipeline.models.layers import scale_layer_rates
from pipeline.models.processes import ALONE, Ranks
from pipeline.train.objective import Moment, Objective, Step


class Standard(NamedTuple):
    """The mean and the standard deviation of the numbers of train, by which a model learns all of them."""

    mean: float
    deviation: float


class NumberRows(NamedTuple):
    """The examples of one split: tokens, numbers standardised as those of train, (N,) float32, and stable ids."""

    tokens: Ragged
    labels: Floats
    ids: tuple[str, ...]
    standard: Standard


class NumberScores(NamedTuple):
    """The scores on validation after `step` updates; losses are of standardised numbers, RMSE is in their own unit.

    `train_loss` is the mean since the last evaluation.
    """

    step: int
    epoch: float
    learning_rate: float
    train_loss: float
    loss: float
    rmse: float
    spearman: float


def measure_standard(table: pa.Table) -> Standard:
    """Return the mean and the deviation of the numbers of the train rows of a table of tokens.

    Raises:
        DataError: They are all equal, or there is none.
    """
    numbers = table.filter(pc.equal(table["split"], "train"))["labels"].to_numpy()
    deviation = float(np.std(numbers)) if len(numbers) else 0.0
    if not deviation > 0 or not np.isfinite(deviation):
        raise DataError(
            f"{task_of(table)}: the numbers of {len(numbers)} train rows have no standard deviation to learn by, found "
            f"{deviation}. Add train rows with other numbers, or change ingest.shares or ingest.salt."
        )
    return Standard(float(np.mean(numbers)), deviation)


def number_rows_of(table: pa.Table, split: str) -> NumberRows:
    """Return the rows of one split of a table of tokens.

    Raises:
        DataError: The numbers of train are all equal.
    """
    standard = measure_standard(table)
    part = table.filter(pc.equal(table["split"], split))
    labels = ((part["labels"].to_numpy() - standard.mean) / standard.deviation).astype(np.float32)
    return NumberRows(read_tokens(part), labels, tuple(part["id"].to_pylist()), standard)


def _losses(
    model: PreTrainedModel,
    train: NumberRows,
    _prepared: None,
    step: Step,
    _params: NumberFinetuneParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the mean squared error of each micro-batch."""

    def compute(rows: Indices) -> torch.Tensor:
        targets = to_device(torch.from_numpy(train.labels[rows]), device.device)
        return mse_loss(forward(model, collate(model, train.tokens, rows, device), device)[:, 0], targets)

    return share_losses(step, compute, ranks=ranks)


def _measure(
    model: PreTrainedModel,
    validation: NumberRows,
    moment: Moment,
    params: NumberFinetuneParams,
    device: Device,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> NumberScores:
    """Return the scores of the model on validation; a correlation that is not defined is 0."""
    # Without gradients a batch needs a fraction of the memory, so it may be larger.
    tokens, size = 4 * params.batch_tokens, 4 * params.batch_size
    logits = compute_logits(
        model, validation.tokens, device, batch_tokens=tokens, batch_size=size, ranks=ranks, go_on=go_on
    )
    predicted, actual = (values.astype(np.float64) for values in (logits[:, 0].numpy(), validation.labels))
    rmse, _, _, spearman = compute_number_metrics(score_numbers(actual, predicted), np.ones(len(actual))).tolist()
    return NumberScores(*moment, rmse**2, rmse * validation.standard.deviation, float(np.nan_to_num(spearman)))


def _describe(scores: NumberScores) -> str:
    return f"validation loss {scores.loss:.4f}, RMSE {scores.rmse:.4f}, Spearman {scores.spearman:.4f}"


NUMBER_OBJECTIVE = Objective(
    plan=lambda train, params: plan_epochs(train.tokens.lengths, params),
    prepare=lambda *_: None,
    losses=_losses,
    measure=_measure,
    evaluation=NumberScores,
    better=improves,
    describe=_describe,
    outputs=lambda model, train, rows, device: forward(model, collate(model, train.tokens, rows, device), device),
    scales=lambda model, params: scale_layer_rates(model, params.layer_decay),
    name_examples=lambda train, step: (train.ids[row] for row in step.rows),
)
