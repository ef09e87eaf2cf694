"""The answers of a fine-tuned model to one split of its task."""

from pathlib import Path

import pyarrow as pa

from pipeline.core.tables import labels_of
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.finetune.classification import rows_of
from pipeline.models.device import choose_device
from pipeline.models.folder import load_classifier
from pipeline.models.inference import predict_probabilities
from pipeline.models.layers import require_fit, shorten_last_layer


def predict_split(model: Path, tokens: pa.Table, split: str) -> tuple[Floats, Ints]:
    """Return the class probabilities, (N, C), and the classes, (N,), of the rows of a split, computed as for the test.

    Raises:
        DataError: The model has other classes or knows other tokens.
        EnvironmentFault: The folder holds no whole model.
    """
    rows, classifier = rows_of(tokens, split), load_classifier(model, labels_of(tokens))
    require_fit(rows.tokens, classifier)
    with shorten_last_layer(classifier):
        return predict_probabilities(classifier, rows.tokens, choose_device("fp32")), rows.labels
