"""The probabilities that a model gives each label of texts, and the thresholds that validation chooses for them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.tables import labels_of
from pipeline.evaluate.align import align
from pipeline.evaluate.metrics import Floats
from pipeline.kinds.multi_label_classification.learning import label_set_head
from pipeline.kinds.multi_label_classification.metrics import (
    EVEN_THRESHOLD,
    apply_thresholds,
    choose_thresholds,
    compute_set_metrics,
    score_label_sets,
    to_indicators,
)
from pipeline.kinds.multi_label_classification.objective import set_rows_of
from pipeline.models.batches import Ragged, to_ragged
from pipeline.models.device import choose_device
from pipeline.models.folder import load_model
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, compute_logits
from pipeline.models.layers import require_fit, shorten_last_layer


def predict_labels(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the probability of each label of the examples, all of the test split, a list each.

    Raises:
        DataError: The tokens are not those of the examples.
    """
    encoded = align(tokens, examples["id"].to_pylist(), like=examples, what="tokens")
    if (to_indicators(encoded["labels"], examples) != to_indicators(examples["labels"], examples)).any():
        raise DataError("tokens: rows have other labels than in the examples. Run `dvc repro` to create them again.")
    probabilities = _predict(model, tokens, to_ragged(encoded["input_ids"]))
    return pa.array(list(probabilities), pa.list_(pa.float64()))


def choose_on_validation(tokens: pa.Table, model: Path) -> Document:
    """Return the labels and their thresholds, with what those change on validation, where they were chosen."""
    rows = set_rows_of(tokens, "validation")
    probabilities = _predict(model, tokens, rows.tokens)
    thresholds = choose_thresholds(probabilities, rows.labels)
    values: Document = {"rows": len(rows.ids)}
    for suffix, limits in (("", thresholds), ("_at_half", np.full_like(thresholds, EVEN_THRESHOLD))):
        scored = score_label_sets(rows.labels, probabilities, apply_thresholds(probabilities, limits))
        micro, macro, *_ = compute_set_metrics(scored, np.ones(len(rows.ids))).tolist()
        values |= {f"micro_f1{suffix}": _number(micro), f"macro_f1{suffix}": _number(macro)}
    return {"labels": labels_of(tokens), "thresholds": thresholds.tolist(), "validation": values}


def _predict(model: Path, tokens: pa.Table, rows: Ragged) -> Floats:
    """Return the probability of each label of N rows, (N, C)."""
    classifier = load_model(model, label_set_head(tokens))
    require_fit(rows, classifier)
    with shorten_last_layer(classifier):
        logits = compute_logits(
            classifier, rows, choose_device("fp32"), batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE
        )
    probabilities: Floats = torch.sigmoid(logits.double()).numpy()
    return probabilities


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
