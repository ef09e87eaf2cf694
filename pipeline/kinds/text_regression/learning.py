"""Learning of text regression: squared error, and a head that gives numbers in their own unit at the end."""

from pathlib import Path

import pyarrow as pa
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from pipeline.core.errors import UsageError
from pipeline.finetune.head import find_output_layer
from pipeline.finetune.learning import Finish, Learning
from pipeline.kinds.text_regression.objective import (
    NUMBER_OBJECTIVE,
    NumberRows,
    NumberScores,
    Standard,
    number_rows_of,
)
from pipeline.models.heads import Head, mark_reading, name_classes
from pipeline.models.inputs import holds_pairs, max_length_of
from pipeline.models.layers import require_fit
from pipeline.models.tokenizer import save_tokenizer

NUMBER_HEAD = Head(AutoModelForSequenceClassification, {**name_classes(["value"]), "problem_type": "regression"})


def fold_standard(model: PreTrainedModel, standard: Standard) -> None:
    """Change the last layer so that it gives numbers in their own unit; the configuration keeps mean and deviation.

    So whatever runs the model needs to know of neither.

    Raises:
        UsageError: The head does not end in a linear layer with a bias.
    """
    layer = find_output_layer(model)
    if layer is None or layer.bias is None:
        raise UsageError(
            f"the head of {type(model).__name__} has no last linear layer with a bias, which would bring its numbers "
            "to their own unit. Name another encoder."
        )
    with torch.no_grad():
        layer.weight.mul_(standard.deviation)
        layer.bias.mul_(standard.deviation).add_(standard.mean)
    model.config.label_mean, model.config.label_deviation = standard


def _finish(model: PreTrainedModel, validation: NumberRows, best: NumberScores) -> Finish:
    fold_standard(model, validation.standard)
    scores = {name: getattr(best, name) for name in ("rmse", "spearman", "loss", "step")}
    return Finish(scores, {"standard": validation.standard._asdict()})


def _save_inputs(encoder: Path, folder: Path, table: pa.Table) -> None:
    save_tokenizer(encoder, folder, max_length=max_length_of(table), for_pairs=holds_pairs(table))


LEARNING = Learning(
    head=lambda table: mark_reading(NUMBER_HEAD, pairs=holds_pairs(table)),
    rows=number_rows_of,
    require_fit=lambda rows, model: require_fit(rows.tokens, model),
    reads="first token",
    objective=NUMBER_OBJECTIVE,
    finish=_finish,
    save_inputs=_save_inputs,
)
