"""The prediction of a class for each text of a table of examples."""

from pathlib import Path

import pyarrow as pa

from pipeline.core.errors import REPRODUCE, DataError
from pipeline.core.tables import labels_of
from pipeline.evaluate.align import align, require_classes
from pipeline.finetune.classification import rows_of
from pipeline.models.batches import read_tokens
from pipeline.models.device import choose_device
from pipeline.models.folder import load_classifier
from pipeline.models.inference import predict_probabilities
from pipeline.models.inputs import find_first_windows, window_stride
from pipeline.models.layers import require_fit, shorten_last_layer


def predict_texts(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the class probabilities of the examples, all of the test split, a list each.

    Raises:
        DataError: The tokens are not those of the examples.
    """
    ids = examples["id"].to_pylist()
    if window_stride(tokens) is None:
        encoded = align(tokens, ids, like=examples, what="tokens")
        texts = read_tokens(encoded)
    else:
        first = tokens.take(find_first_windows(tokens["id"].to_pylist()))
        encoded, rows = align(first, ids, like=examples, what="tokens"), rows_of(tokens, "test")
        if list(rows.ids) != ids:
            raise DataError(f"tokens: in another order than the examples. {REPRODUCE}")
        texts = rows.tokens
    require_classes(encoded["labels"], examples, what="tokens")
    classifier = load_classifier(model, labels_of(examples))
    require_fit(texts, classifier)
    with shorten_last_layer(classifier):
        probabilities = predict_probabilities(classifier, texts, choose_device("fp32"))
    return pa.array(list(probabilities), pa.list_(pa.float64()))
