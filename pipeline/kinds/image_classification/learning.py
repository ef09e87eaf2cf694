"""Learning of image classification: cross-entropy over classes, then a temperature."""

from pathlib import Path

import pyarrow as pa
import torch
from transformers import AutoModelForImageClassification, PreTrainedModel

from pipeline.core.tables import labels_of
from pipeline.finetune.classification import ValidationScores
from pipeline.finetune.head import describe_scores, fold_temperature
from pipeline.finetune.learning import Finish, Learning
from pipeline.images.processor import load_processor
from pipeline.kinds.image_classification.feed import require_pixels_fit
from pipeline.kinds.image_classification.objective import IMAGES, ImageRows, compute_image_logits, rows_of_images
from pipeline.models.device import choose_device
from pipeline.models.heads import Head, name_classes
from pipeline.models.inference import BATCH_SIZE


def image_head(table: pa.Table) -> Head:
    """Return the head that tells images of the classes of a table apart."""
    return Head(AutoModelForImageClassification, name_classes(labels_of(table)))


def _finish(model: PreTrainedModel, validation: ImageRows, best: ValidationScores) -> Finish:
    def predict(most: int | None) -> torch.Tensor:
        rows = validation.pixels._replace(rows=validation.pixels.rows[:most])
        return compute_image_logits(model, rows, choose_device("fp32"), batch_size=BATCH_SIZE)

    calibrated = fold_temperature(model, validation.labels, predict)
    return Finish(describe_scores(best, calibrated), {"calibration": calibrated._asdict()})


def _save_inputs(encoder: Path, folder: Path, _: pa.Table) -> None:
    load_processor(encoder).save_pretrained(folder)


LEARNING = Learning(
    head=image_head,
    rows=rows_of_images,
    require_fit=lambda rows, model: require_pixels_fit(rows.pixels, model),
    reads="every token",
    objective=IMAGES,
    finish=_finish,
    save_inputs=_save_inputs,
)
