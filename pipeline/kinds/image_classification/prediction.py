"""The prediction of a class for each image of a table of inputs."""

from pathlib import Path

import pyarrow as pa
import torch

from pipeline.evaluate.align import align, require_classes
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.kinds.image_classification.feed import require_pixels_fit
from pipeline.kinds.image_classification.learning import image_head
from pipeline.kinds.image_classification.objective import ImageRows, compute_image_logits, rows_of_images
from pipeline.models.device import choose_device
from pipeline.models.folder import load_model
from pipeline.models.inference import BATCH_SIZE


def predict_images(model: Path, examples: pa.Table, inputs: pa.Table) -> pa.Array:
    """Return the class probabilities of the examples, all of the test split, a list each.

    Raises:
        DataError: The inputs are not those of the examples.
    """
    plain = align(inputs.select(["id", "split", "labels"]), examples["id"].to_pylist(), like=examples, what="tokens")
    require_classes(plain["labels"], examples, what="tokens")
    rows = rows_of_images(inputs, "test")
    places = {name: place for place, name in enumerate(rows.ids)}
    order = [places[name] for name in examples["id"].to_pylist()]
    return pa.array(list(_compute(model, inputs, rows)[order]), pa.list_(pa.float64()))


def predict_image_split(model: Path, inputs: pa.Table, split: str) -> tuple[Floats, Ints]:
    """Return the class probabilities, (N, C), and the classes, (N,), of the rows of a split, computed as for the test.

    Raises:
        DataError: The model has other classes or reads other pixels.
    """
    rows = rows_of_images(inputs, split)
    return _compute(model, inputs, rows), rows.labels


def _compute(model: Path, inputs: pa.Table, rows: ImageRows) -> Floats:
    classifier = load_model(model, image_head(inputs))
    require_pixels_fit(rows.pixels, classifier)
    logits = compute_image_logits(classifier, rows.pixels, choose_device("fp32"), batch_size=BATCH_SIZE)
    return torch.softmax(logits.double(), dim=-1).numpy()
