"""The answers of candidates on the test split, and the one comparison that is made of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from transformers import PreTrainedModel

from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, DataError
from pipeline.core.tables import class_indices, describe, labels_of, read_arrow, task_of
from pipeline.evaluate.estimate import Estimate
from pipeline.evaluate.outcome import classify_difference
from pipeline.finetune.classification import rows_of
from pipeline.models.device import choose_device
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, compute_logits
from pipeline.study.seed_means import crossed_mean, mean_macro_f1


def predict_test(model: PreTrainedModel | None, tokens: Path) -> pa.Table:
    """Return id, label and predicted class index of each test row; of no row without a model."""
    table = read_arrow(tokens)
    rows = rows_of(table.slice(0, 0) if model is None else table, "test")
    predicted = np.empty(0, np.int64)
    if model is not None:
        exact = choose_device("fp32")  # as `evaluate` predicts
        logits = compute_logits(model, rows.tokens, exact, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE)
        predicted = logits.argmax(dim=-1).numpy()
    columns = {"id": pa.array(rows.ids, pa.string()), "label": rows.labels, "predicted": predicted}
    return describe(pa.table(columns), task=task_of(table), labels=labels_of(table))


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
