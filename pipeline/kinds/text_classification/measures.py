"""The measures of a class for each text."""

from pathlib import Path

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
from pipeline.evaluate.kind import Measures
from pipeline.evaluate.projection import project_examples
from pipeline.evaluate.slices import Slice, slice_by_columns, slice_by_length
from pipeline.examples.pairs import whole_texts
from pipeline.kinds.text_classification.baseline_names import TEXT_BASELINES
from pipeline.kinds.text_classification.settings import TextEvaluateParams
from pipeline.settings.shared.texts import PAIR


def _predict(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the probabilities of the examples, a list each."""
    from pipeline.kinds.text_classification.prediction import predict_texts  # noqa: PLC0415  # torch, of use here only

    return predict_texts(model, examples, tokens)


def _slice(examples: pa.Table, params: TextEvaluateParams) -> list[Slice]:
    """Return the slices by length, then by each column, that are large enough."""
    parts = [
        *slice_by_length(whole_texts(examples), params.length_edges),
        *slice_by_columns(examples, params.slices, never=("text", PAIR)),
    ]
    return [part for part in parts if len(part.rows) >= params.min_slice_rows]


MEASURES = Measures(
    metrics=METRICS,
    baselines=TEXT_BASELINES,
    predict=_predict,
    tabulate=tabulate_classes,
    score_rows=score_classes,
    compute=compute_class_metrics,
    right=RIGHT_CLASSES,
    truths=name_actual,
    answers=name_predicted,
    slices=_slice,
    groups=group_by_class,
    worst=list_surest_errors,
    variants=undo_temperature,
    details=detail_classes,
    project=project_examples,
    calibrate=calibrate_classes,
    curve=bin_confidence,
)
