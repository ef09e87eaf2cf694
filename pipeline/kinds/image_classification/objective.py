"""The objective of image classification: cross-entropy on views that each epoch draws anew."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from transformers import PreTrainedModel

from pipeline.finetune.classification import CLASSES, ValidationScores, score_logits, share_class_losses
from pipeline.finetune.updates import plan_epochs
from pipeline.images.pixels import Crop, Pixels, draw_view, show, take_pixels, to_pixels
from pipeline.kinds.image_classification.feed import collate_pixels, scale_pixels
from pipeline.kinds.image_classification.settings import ImageTrainingParams
from pipeline.models.batches import to_device
from pipeline.models.batching import Indices, plan_batches
from pipeline.models.device import Device
from pipeline.models.inference import forward
from pipeline.models.processes import ALONE, Ranks, share_batches, sum_over_ranks
from pipeline.train.objective import Moment, Step


class ImageRows(NamedTuple):
    """The examples of one split: pixels, class indices (N,) int64 and stable ids."""

    pixels: Pixels
    labels: Indices
    ids: tuple[str, ...]


def rows_of_images(table: pa.Table, split: str) -> ImageRows:
    """Return the rows of one split of a table of inputs; their pixels stay in the file."""
    rows = np.flatnonzero(pc.equal(table["split"], split).to_numpy())
    part = table.select(["id", "labels"]).take(pa.array(rows))
    labels = part["labels"].to_numpy().astype(np.int64)
    return ImageRows(to_pixels(table, rows), labels, tuple(part["id"].to_pylist()))


def compute_image_logits(
    model: PreTrainedModel,
    pixels: Pixels,
    device: Device,
    *,
    batch_size: int,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Return the logits of N images, (N, C) float32 on the CPU, in their order; without dropout and gradients.

    The ranks share the batches, and each returns the whole result. `go_on` is called before each batch, on all ranks
    alike, and may raise to end early.
    """
    model.to(device.device).eval()  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    logits = torch.zeros(len(pixels.rows), model.config.num_labels or 0, device=device.device)
    batches = plan_batches(pixels.lengths, batch_tokens=batch_size, batch_size=batch_size, rng=None)
    with torch.inference_mode():
        for rows in share_batches(batches, ranks, go_on):
            places = to_device(torch.from_numpy(rows), device.device)
            logits[places] = forward(model, collate_pixels(model, pixels, rows, device), device)
    sum_over_ranks([logits], ranks)
    return logits.cpu()


def _losses(
    model: PreTrainedModel,
    train: ImageRows,
    weights: torch.Tensor | None,
    step: Step,
    params: ImageTrainingParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the cross-entropy of each micro-batch on the views of its epoch."""
    epoch = math.ceil(step.epoch) - 1  # `step.epoch` counts those that are done after it
    margin = round(params.crop * min(train.pixels.side))
    views = draw_view(params.seed, epoch, len(train.labels), margin, flip=params.flip)

    def compute(rows: Indices) -> torch.Tensor:
        view = Crop(views.offsets[rows], views.mirrored[rows])
        images = show(take_pixels(train.pixels, rows), view, margin)
        return forward(model, scale_pixels(train.pixels, images, device), device)

    return share_class_losses(train.labels, weights, step, params, device, compute, ranks)


def _measure(
    model: PreTrainedModel,
    validation: ImageRows,
    moment: Moment,
    params: ImageTrainingParams,
    device: Device,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> ValidationScores:
    """Return the scores of the model on validation: plain cross-entropy, accuracy and macro-F1."""
    size = 4 * params.batch_size  # without gradients a batch needs a fraction of the memory
    logits = compute_image_logits(model, validation.pixels, device, batch_size=size, ranks=ranks, go_on=go_on)
    return score_logits(logits, validation.labels, moment)


IMAGES = CLASSES._replace(
    plan=lambda train, params: plan_epochs(train.pixels.lengths, params),
    losses=_losses,
    measure=_measure,
    outputs=lambda model, train, rows, device: forward(
        model, collate_pixels(model, train.pixels, rows, device), device
    ),
)
