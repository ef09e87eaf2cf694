"""Baselines of image classification: the largest class, and linear models on gradients, pixels and frozen features."""

from typing import Any

import pyarrow as pa

from pipeline.core.tables import class_indices, labels_of
from pipeline.evaluate.align import select_split
from pipeline.evaluate.baselines import (
    Baselines,
    Fit,
    FittedBaselines,
    ReadVectors,
    choose_logistic,
    fit_scaler,
    predict_majority,
)
from pipeline.images.decoding import unpack_images
from pipeline.images.gradients import histogram_gradients, shrink_images
from pipeline.kinds.image_classification.baseline_names import IMAGE_BASELINES
from pipeline.kinds.image_classification.settings import ImageBaselineParams


def _fit(params: ImageBaselineParams, examples: pa.Table, vectors: ReadVectors) -> FittedBaselines:
    """Return the baselines of images.

    Raises:
        DataError: A split is empty, or train has one class only.
        UsageError: The solver did not converge.
    """
    labels, actual = labels_of(examples), class_indices(examples)
    for split in ("train", "validation"):
        select_split(examples, split)
    train, validation = (examples["split"].to_numpy() == split for split in ("train", "validation"))
    own, images = vectors(), _shrink(examples)
    scale_pixels = fit_scaler(images[train].reshape(train.sum(), -1))
    scale_gradients = fit_scaler(histogram_gradients(images[train]))

    def fit(values: Any, transforms: Any) -> Fit[Any]:
        return choose_logistic(
            params.probe_strengths,
            params.max_iter,
            transforms,
            train=(values[train], actual[train]),
            validation=(values[validation], actual[validation]),
            classes=len(labels),
        )

    cheap = IMAGE_BASELINES.cheap.name
    fits = {
        cheap: fit(
            images,
            {
                "gradients": lambda some: scale_gradients(histogram_gradients(some)),
                "pixels": lambda some: scale_pixels(some.reshape(len(some), -1)),
            },
        ),
        "probe": fit(own, {"frozen features": fit_scaler(own[train])}),
    }

    def answer(rows: pa.Table, vectors: ReadVectors) -> dict[str, pa.Array]:
        probabilities = {
            "majority": predict_majority(actual[train], classes=len(labels), rows=rows.num_rows),
            cheap: fits[cheap].predict(_shrink(rows)),
            "probe": fits["probe"].predict(vectors()),
        }
        return {name: pa.array(list(values), pa.list_(pa.float64())) for name, values in probabilities.items()}

    return FittedBaselines(answer, [f"{name}: {each.describe()}" for name, each in fits.items()], None)


def _shrink(examples: pa.Table) -> Any:
    return shrink_images(unpack_images(examples["image"]))


BASELINES = Baselines(fit=_fit, inspect=None)
