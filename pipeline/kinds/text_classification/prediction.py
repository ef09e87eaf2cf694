"""The prediction of a class for each text of a table of examples."""

from pathlib import Path

import pyarrow as pa

from pipeline.core.tables import labels_of
from pipeline.evaluate.align import align, require_classes
from pipeline.models.batches import read_tokens
from pipeline.models.device import choose_device
from pipeline.models.folder import load_classifier
from pipeline.models.inference import predict_probabilities
from pipeline.models.layers import require_fit, shorten_last_layer


def predict_texts(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the class probabilities of the examples, all of the test split, a list each.

    Raises:
        DataError: The tokens are not those of the examples.
    """
    encoded = align(tokens, examples["id"].to_pylist(), like=examples, what="tokens")
    require_classes(encoded["labels"], examples, what="tokens")
    texts, classifier = read_tokens(encoded), load_classifier(model, labels_of(examples))
    require_fit(texts, classifier)
    with shorten_last_layer(classifier):
        probabilities = predict_probabilities(classifier, texts, choose_device("fp32"))
    return pa.array(list(probabilities), pa.list_(pa.float64()))
