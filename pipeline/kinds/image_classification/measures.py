"""The measures of a class for each image."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.classes.decision import calibrate_classes
from pipeline.classes.evaluation import detail_classes, list_surest_errors
from pipeline.classes.measures import (
    METRICS,
    RIGHT_CLASSES,
    bin_confidence,
    compute_class_metrics,
    group_by_class,
    name_actual,
    name_predicted,
    score_classes,
    tabulate_classes,
    undo_temperature,
)
from pipeline.core.document import Document
from pipeline.evaluate.kind import Measures
from pipeline.evaluate.metrics import Floats, Ints, ScoredClasses
from pipeline.evaluate.projection import project_examples
from pipeline.evaluate.slices import Slice, slice_by_columns
from pipeline.images.decoding import make_thumbnail
from pipeline.kinds.image_classification.baseline_names import IMAGE_BASELINES
from pipeline.kinds.image_classification.settings import ImageEvaluateParams


def _predict(model: Path, examples: pa.Table, inputs: pa.Table) -> pa.Array:
    """Return the probabilities of the examples, a list each."""
    from pipeline.kinds.image_classification.prediction import predict_images  # noqa: PLC0415  # torch, of use here only

    return predict_images(model, examples, inputs)


def _predict_split(model: Path, inputs: pa.Table, split: str) -> tuple[Floats, Ints]:
    from pipeline.kinds.image_classification.prediction import predict_image_split  # noqa: PLC0415  # torch again

    return predict_image_split(model, inputs, split)


def _slice(examples: pa.Table, params: ImageEvaluateParams) -> list[Slice]:
    """Return the slices by each column that are large enough."""
    parts = slice_by_columns(examples, params.slices, never=("image",))
    return [part for part in parts if len(part.rows) >= params.min_slice_rows]


def _list_errors(scored: ScoredClasses, examples: pa.Table, predictions: pa.Table, params: Any) -> list[Document]:
    """Return the errors the model was surest of, each with a small copy of its image."""
    return [row | show_image(examples, row["text"]) for row in list_surest_errors(scored, number_rows(examples),
                                                                                  predictions, params)]  # fmt: skip


def _project(examples: pa.Table, features: pa.Table, predictions: pa.Table, params: ImageEvaluateParams) -> Document:
    document = project_examples(number_rows(examples), features, predictions, params)
    for row in document["neighbours"]:
        for shown in (row, *row["nearest"]):
            shown.update(show_image(examples, shown["text"]))
    return document


def number_rows(examples: pa.Table) -> pa.Table:
    """Return the examples with their row in place of a text, by which `show_image` finds them again."""
    return examples.append_column("text", pa.array(map(str, range(examples.num_rows)), pa.string()))


def show_image(examples: pa.Table, row: str) -> Document:
    """Return the image of a row as the page shows it: a small copy, and its size in words."""
    example = examples.slice(int(row), 1).to_pylist()[0]
    return {
        "text": f"image of {example['width']} x {example['height']} pixels",
        "image": make_thumbnail(example["image"]["bytes"]),
    }


MEASURES = Measures(
    metrics=METRICS,
    baselines=IMAGE_BASELINES,
    predict=_predict,
    tabulate=tabulate_classes,
    score_rows=score_classes,
    compute=compute_class_metrics,
    right=RIGHT_CLASSES,
    truths=name_actual,
    answers=name_predicted,
    slices=_slice,
    groups=group_by_class,
    worst=_list_errors,
    variants=undo_temperature,
    details=detail_classes,
    project=_project,
    calibrate=lambda inputs, model, params: calibrate_classes(inputs, model, params, predict=_predict_split),
    curve=bin_confidence,
)
