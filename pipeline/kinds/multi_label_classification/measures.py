"""The measures of label sets: an answer has a probability for each label, and the labels that are answered."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.document import Document
from pipeline.core.tables import describe, labels_of, task_of
from pipeline.evaluate.align import to_matrix
from pipeline.evaluate.bootstrap import percentile_interval
from pipeline.evaluate.estimate import share_interval
from pipeline.evaluate.evaluation import MODEL, describe_gap
from pipeline.evaluate.kind import Details, Measured, Measures, Metric, Right
from pipeline.evaluate.metrics import Floats
from pipeline.evaluate.projection import measure_width
from pipeline.evaluate.slices import Slice, slice_by_columns, slice_by_length
from pipeline.examples.records import places_of
from pipeline.kinds.multi_label_classification.baseline_names import LABEL_SET_BASELINES
from pipeline.kinds.multi_label_classification.metrics import (
    EVEN_THRESHOLD,
    Bools,
    ScoredSets,
    apply_thresholds,
    compute_average_precisions,
    compute_set_metrics,
    count_classes,
    name_sets,
    score_label_sets,
    to_indicators,
    to_lists,
)
from pipeline.kinds.multi_label_classification.settings import LabelSetEvaluateParams
from pipeline.settings.task import TaskParams

AT_HALF = "at_half"  # the answers of the model without its thresholds
_UNDEFINED = "no row has a label, in the data or in the answers"
SET_METRICS = (
    Metric("micro_f1", "micro-F1", 1, "share", undefined=_UNDEFINED),
    Metric("macro_f1", "macro-F1", 1, "share", undefined=_UNDEFINED),
    Metric("mean_average_precision", "mean average precision", 1, "share", undefined="no row has a label"),
    Metric("exact_match", "exact match", 1, "share"),
)


def _predict(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the probability of each label of the examples, a list each."""
    from pipeline.kinds.multi_label_classification.prediction import (  # noqa: PLC0415  # torch, of use here only
        predict_labels,
    )

    return predict_labels(model, examples, tokens)


def _tabulate(examples: pa.Table, answers: pa.Array | pa.ChunkedArray, kept: Document) -> pa.Table:
    """Return one row an example: its id, its labels, those answered, and all probabilities.

    The answers of a baseline say which labels they are; those of the model follow from the thresholds.

    Raises:
        DataError: An answer has another number of labels.
    """
    labels = labels_of(examples)
    has_labels = pa.types.is_struct(answers.type)
    column = pc.struct_field(answers, "probabilities") if has_labels else answers
    probabilities = to_matrix(column, classes=len(labels), what="predictions")
    columns = {
        "id": examples["id"].combine_chunks(),
        "labels": to_lists(to_indicators(examples["labels"], examples)),
        "predicted": to_lists(
            to_indicators(pc.struct_field(answers, "labels"), examples)
            if has_labels
            else apply_thresholds(probabilities, np.array(kept["thresholds"]))
        ),
        "probabilities": pa.array(list(probabilities), pa.list_(pa.float64())),
    }
    return describe(pa.table(columns), task=task_of(examples), labels=labels)


def _score(truths: pa.Table, answers: pa.Table, _params: Any) -> ScoredSets:
    """Return the scored examples; labels that only the answers know come after those of the truths."""
    known, own = labels_of(truths), labels_of(answers)
    labels = (*known, *(label for label in own if label not in known))
    places = [labels.index(label) for label in own]

    def widen(values: Any, at: Sequence[int]) -> Any:
        wide = np.zeros((len(values), len(labels)), dtype=values.dtype)
        wide[:, at] = values
        return wide

    probabilities = to_matrix(answers["probabilities"], classes=len(own), what="predictions").astype(np.float64)
    return score_label_sets(
        widen(to_indicators(truths["labels"], truths), range(len(known))),
        widen(probabilities, places),
        widen(to_indicators(answers["predicted"], answers), places),
    )


def _slice(examples: pa.Table, params: LabelSetEvaluateParams) -> list[Slice]:
    """Return the slices by length, then by each column, that are large enough."""
    parts = [
        *slice_by_length(examples["text"].to_pylist(), params.length_edges),
        *slice_by_columns(examples, params.slices, never=("text",)),
    ]
    return [part for part in parts if len(part.rows) >= params.min_slice_rows]


def _group(predictions: pa.Table) -> list[Slice]:
    """Return the examples that have each label, and those without any; an example may be in several groups."""
    actual = to_indicators(predictions["labels"], predictions)
    parts = [Slice("label", name, np.flatnonzero(actual[:, at])) for at, name in enumerate(labels_of(predictions))]
    parts.append(Slice("label", "(none)", np.flatnonzero(~actual.any(axis=1))))
    return [part for part in parts if len(part.rows)]


def _list_surest_errors(
    scored: ScoredSets, examples: pa.Table, predictions: pa.Table, params: LabelSetEvaluateParams
) -> list[Document]:
    """Return the errors of whose wrong labels the model was surest, the surest first, equals in the order of rows."""
    labels, places = labels_of(predictions), places_of(examples)
    wrong = scored.actual != scored.predicted
    surest = np.where(wrong, np.where(scored.predicted, scored.probabilities, 1 - scored.probabilities), -1).max(axis=1)
    order = np.argsort(-surest, kind="stable")[: min(params.worst, int(wrong.any(axis=1).sum()))]
    missed, added = (name_sets(part, labels) for part in (scored.actual & wrong, scored.predicted & wrong))
    actual, predicted = name_sets(scored.actual, labels), name_sets(scored.predicted, labels)
    return [
        {
            "line": places[row],
            "id": examples["id"][row].as_py(),
            "text": examples["text"][row].as_py(),
            "label": actual[row],
            "predicted": predicted[row],
            "missed": missed[row],
            "added": added[row],
            "confidence": float(surest[row]),
        }
        for row in order.tolist()
    ]


def _answer_at_half(predictions: pa.Table, _kept: Document) -> dict[str, pa.Array]:
    """Return the answers of the model with one half as the threshold of every label."""
    column = predictions["probabilities"].combine_chunks()
    probabilities = to_matrix(column, classes=len(labels_of(predictions)), what="predictions")
    sets = to_lists(np.greater_equal(probabilities, EVEN_THRESHOLD))
    return {AT_HALF: pa.StructArray.from_arrays([column, sets], names=["probabilities", "labels"])}


def _detail(measured: Measured, predictions: pa.Table, kept: Document, params: LabelSetEvaluateParams) -> Details:
    """Return the results of each label, and what the thresholds change."""
    model, labels = measured.scored[MODEL], labels_of(predictions)
    change, gaps = (values[MODEL] - values[AT_HALF] for values in (measured.values, measured.draws))
    thresholds = {
        metric.name: describe_gap(
            percentile_interval(change[at], gaps[:, at], confidence=params.confidence, undefined=metric.undefined)
        )
        for at, metric in enumerate(SET_METRICS)
        if metric.name != "mean_average_precision"  # which knows no threshold
    }
    return Details(
        model={"classes": _tabulate_labels(model, labels, kept["thresholds"], params.confidence)},
        whole={"thresholds": thresholds},
    )


def _tabulate_labels(
    scored: ScoredSets, labels: Sequence[str], thresholds: Sequence[float], confidence: float
) -> list[Document]:
    """Return precision and recall with Wilson's intervals, F1, average precision and rows of each label."""
    ones = np.ones(len(scored.actual))
    precisions = compute_average_precisions(scored, ones).tolist()
    table = []
    for at, (hits, support, calls) in enumerate(zip(*count_classes(scored, ones), strict=True)):
        known = support + calls
        table.append(
            {
                "label": labels[at],
                "precision": share_interval(int(hits), int(calls), confidence=confidence)._asdict(),
                "recall": share_interval(int(hits), int(support), confidence=confidence)._asdict(),
                "f1": float(2 * hits / known) if known else None,
                "average_precision": precisions[at] if support else None,
                "support": int(support),
                "predicted": int(calls),
                "threshold": thresholds[at],
            }
        )
    return table


def _calibrate(tokens: pa.Table, model: Path, _params: TaskParams) -> Document:
    """Return the labels of a model and the threshold of each, chosen on validation."""
    from pipeline.kinds.multi_label_classification.prediction import (  # noqa: PLC0415  # torch, of use here only
        choose_on_validation,
    )

    return choose_on_validation(tokens, model)


def _name_truths(table: pa.Table) -> list[str]:
    """Return the labels of each row of examples or predictions, in words."""
    return name_sets(to_indicators(table["labels"], table), labels_of(table))


def _name_answers(predictions: pa.Table) -> list[str]:
    """Return the labels answered for each row, in words."""
    return name_sets(to_indicators(predictions["predicted"], predictions), labels_of(predictions))


def _right_rows(scored: ScoredSets) -> Bools:
    return scored.right


def _confidence(scored: ScoredSets) -> Floats:
    return scored.confidence


MEASURES = Measures(
    metrics=SET_METRICS,
    baselines=LABEL_SET_BASELINES,
    predict=_predict,
    tabulate=_tabulate,
    score_rows=_score,
    compute=compute_set_metrics,
    right=Right("exact_match", _right_rows, _confidence),
    truths=_name_truths,
    answers=_name_answers,
    slices=_slice,
    groups=_group,
    worst=_list_surest_errors,
    variants=_answer_at_half,
    details=_detail,
    project=measure_width,
    calibrate=_calibrate,
)
