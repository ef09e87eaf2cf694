"""The answers of candidates on the test split, and the one comparison that is made of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from transformers import PreTrainedModel

from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, DataError
from pipeline.core.tables import class_indices, describe, labels_of, read_arrow, task_of
from pipeline.evaluate.estimate import Estimate, classify_difference
from pipeline.evaluate.metrics import Ints
from pipeline.finetune.learning import Learning
from pipeline.models.device import choose_device
from pipeline.models.inference import BATCH_SIZE
from pipeline.study.seed_means import crossed_mean, mean_macro_f1


def predict_test(model: PreTrainedModel | None, learning: Learning, tokens: Path) -> pa.Table:
    """Return id, label and predicted class index of each test row; of no row without a model."""
    table = read_arrow(tokens)
    test = table.filter(pc.equal(table["split"], "test")).slice(0, None if model else 0)
    predicted = np.empty(0, np.int64)
    if model is not None and test.num_rows:
        predicted = _predict(model, learning, learning.rows(table, "test"), test.num_rows)
    columns = {"id": test["id"], "label": test["labels"], "predicted": predicted}
    return describe(pa.table(columns), task=task_of(table), labels=labels_of(table))


def _predict(model: PreTrainedModel, learning: Learning, rows: Any, count: int) -> Ints:
    """Return the class of each row, (N,), in fp32, as `evaluate` predicts."""
    device = choose_device("fp32")
    model.eval()
    batches = np.array_split(np.arange(count), range(BATCH_SIZE, count, BATCH_SIZE))
    with torch.no_grad():
        logits = [learning.objective.outputs(model, rows, batch, device).float().cpu() for batch in batches]
    return torch.cat(logits).argmax(dim=-1).numpy()


def compare_on_test(default: Sequence[pa.Table], chosen: Sequence[pa.Table], *, confidence: float) -> Document:
    """Return the accuracies of two candidates, a table of answers a seed, and the paired test of their difference.

    The test is that of `crossed_mean`: seeds and test rows are both random samples.

    Raises:
        DataError: The tables have different rows.
    """
    tables = [*default, *chosen]
    ids, actual = tables[0]["id"], class_indices(tables[0])
    for table in tables[1:]:
        if table["id"] != ids or not np.array_equal(class_indices(table), actual):
            raise DataError(f"search: candidates of {task_of(table)} have different test rows. {REPRODUCE}")
    classes = len(labels_of(tables[0]))
    first, second = (np.stack([class_indices(table, "predicted") for table in side]) for side in (default, chosen))
    right = [np.equal(predicted, actual).astype(np.float64) for predicted in (first, second)]
    mean = crossed_mean(right[1] - right[0], confidence=confidence)
    return {
        "rows": len(actual),
        "default": {"accuracy": float(right[0].mean()), "macro_f1": mean_macro_f1(actual, first, classes=classes)},
        "chosen": {"accuracy": float(right[1].mean()), "macro_f1": mean_macro_f1(actual, second, classes=classes)},
        "difference": mean.value,
        "low": mean.low,
        "high": mean.high,
        "p_value": mean.p_value,
        "outcome": classify_difference(
            Estimate(mean.value, mean.low, mean.high), mean.p_value, alpha=1 - confidence
        ),
    }  # fmt: skip
