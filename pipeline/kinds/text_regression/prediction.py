"""The numbers that a model gives texts."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.core.errors import DataError
from pipeline.evaluate.align import align
from pipeline.kinds.text_regression.learning import NUMBER_HEAD
from pipeline.models.batches import read_tokens
from pipeline.models.device import choose_device
from pipeline.models.folder import load_model
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, compute_logits
from pipeline.models.layers import require_fit, shorten_last_layer


def predict_numbers(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the number of each of the examples, all of the test split.

    Raises:
        DataError: The tokens are not those of the examples.
    """
    encoded = align(tokens, examples["id"].to_pylist(), like=examples, what="tokens")
    if (encoded["labels"].to_numpy() != examples["label"].to_numpy()).any():
        raise DataError("tokens: rows have other numbers than in the examples. Run `dvc repro` to create them again.")
    texts, regressor = read_tokens(encoded), load_model(model, NUMBER_HEAD)
    require_fit(texts, regressor)
    with shorten_last_layer(regressor):
        logits = compute_logits(
            regressor, texts, choose_device("fp32"), batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE
        )
    return pa.array(logits[:, 0].numpy().astype(np.float64))
