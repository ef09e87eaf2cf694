"""Baselines of image classification: the largest class, and linear models on gradients, pixels and frozen features."""

from typing import Any

import pyarrow as pa

from pipeline.core.tables import class_indices, describe, labels_of, task_of
from pipeline.evaluate.align import align, select_split, to_vectors
from pipeline.evaluate.baselines import Baselines, fit_scaler, predict_logistic, predict_majority
from pipeline.images.decoding import unpack_images
from pipeline.images.gradients import histogram_gradients, shrink_images
from pipeline.kinds.image_classification.baseline_names import IMAGE_BASELINES
from pipeline.kinds.image_classification.settings import ImageBaselineParams


def _predict(params: ImageBaselineParams, examples: pa.Table, features: pa.Table) -> tuple[pa.Table, list[str], None]:
    """Return what each baseline says of every row outside train; all are fitted to train and tuned on validation.

    Raises:
        DataError: A split is empty, or train has one class only.
        UsageError: The solver did not converge.
    """
    labels, actual = labels_of(examples), class_indices(examples)
    in_train, in_validation = (examples["split"].to_numpy() == split for split in ("train", "validation"))
    for split in ("train", "validation"):
        select_split(examples, split)
    aligned = align(features, examples["id"].to_pylist(), like=examples, what="features", split=None)
    vectors, images = to_vectors(aligned["features"]), shrink_images(unpack_images(examples["image"]))

    def fit(values: Any, transforms: Any) -> Any:
        return predict_logistic(
            params.probe_strengths,
            params.max_iter,
            transforms,
            train=(values[in_train], actual[in_train]),
            validation=(values[in_validation], actual[in_validation]),
            inputs=values[~in_train],
            classes=len(labels),
        )

    scale_pixels = fit_scaler(images[in_train].reshape(in_train.sum(), -1))
    scale_gradients = fit_scaler(histogram_gradients(images[in_train]))
    fits = {
        IMAGE_BASELINES.cheap.name: fit(
            images,
            {
                "gradients": lambda some: scale_gradients(histogram_gradients(some)),
                "pixels": lambda some: scale_pixels(some.reshape(len(some), -1)),
            },
        ),
        "probe": fit(vectors, {"frozen features": fit_scaler(vectors[in_train])}),
    }
    rows = examples.filter(pa.array(~in_train))
    shares = predict_majority(actual[in_train], classes=len(labels), rows=rows.num_rows)
    probabilities = {"majority": shares} | {name: each.probabilities for name, each in fits.items()}
    columns = {name: pa.array(list(values), pa.list_(pa.float64())) for name, values in probabilities.items()}
    table = pa.table({"id": rows["id"], "split": rows["split"], **columns})
    lines = [f"{name}: {each.describe()}" for name, each in fits.items()]
    return describe(table, task=task_of(examples), labels=labels), lines, None


BASELINES = Baselines(predict=_predict, inspect=None)
