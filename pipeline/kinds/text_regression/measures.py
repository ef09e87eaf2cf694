"""The measures of a number for each text: an answer is a number, in the unit of the data."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.tables import describe, task_of
from pipeline.evaluate.evaluation import MODEL
from pipeline.evaluate.kind import Details, Measured, Measures, Metric
from pipeline.evaluate.projection import measure_width
from pipeline.evaluate.slices import Slice, slice_by_columns, slice_by_length
from pipeline.examples.pairs import whole_texts
from pipeline.examples.records import places_of
from pipeline.kinds.text_regression.baseline_names import NUMBER_BASELINES
from pipeline.kinds.text_regression.metrics import ScoredNumbers, compute_number_metrics, score_numbers
from pipeline.kinds.text_regression.settings import NumberEvaluateParams
from pipeline.settings.shared.texts import PAIR

_CONSTANT = "all truths or all answers are equal"
NUMBER_METRICS = (
    Metric("rmse", "RMSE", -1, "number"),
    Metric("mae", "mean absolute error", -1, "number"),
    Metric("pearson", "Pearson correlation", 1, "number", undefined=_CONSTANT),
    Metric("spearman", "Spearman correlation", 1, "number", undefined=_CONSTANT),
)
_PARTS = 10  # of the test rows, by what is predicted for them
THIRDS = ("lowest third", "middle third", "highest third")


def _predict(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the number of each example."""
    from pipeline.kinds.text_regression.prediction import predict_numbers  # noqa: PLC0415  # torch, of use here only

    return predict_numbers(model, examples, tokens)


def _tabulate(examples: pa.Table, answers: pa.Array | pa.ChunkedArray, _: Document) -> pa.Table:
    """Return one row an example: its id, its number, and that predicted."""
    columns = {"id": examples["id"].combine_chunks(), "label": examples["label"].combine_chunks()}
    return describe(pa.table({**columns, "predicted": answers.cast(pa.float64())}), task=task_of(examples), labels=())


def _score(truths: pa.Table, answers: pa.Table, _params: Any) -> ScoredNumbers:
    return score_numbers(truths["label"].to_numpy(), answers["predicted"].to_numpy())


def _slice(examples: pa.Table, params: NumberEvaluateParams) -> list[Slice]:
    """Return the slices by length, then by each column, that are large enough."""
    parts = [
        *slice_by_length(whole_texts(examples), params.length_edges),
        *slice_by_columns(examples, params.slices, never=("text", PAIR, "label")),
    ]
    return [part for part in parts if len(part.rows) >= params.min_slice_rows]


def _group(predictions: pa.Table) -> list[Slice]:
    """Return the thirds of the examples by their number, without empty ones; equal numbers stay together."""
    numbers = predictions["label"].to_numpy()
    places = np.searchsorted(np.quantile(numbers, (1 / 3, 2 / 3)), numbers, side="left")
    parts = [Slice("label", name, np.flatnonzero(places == at)) for at, name in enumerate(THIRDS)]
    return [part for part in parts if len(part.rows)]


def _list_largest_errors(
    scored: ScoredNumbers, examples: pa.Table, _predictions: pa.Table, params: NumberEvaluateParams
) -> list[Document]:
    """Return the examples with the largest errors, the largest first, equals in the order of the rows."""
    places, texts, errors = places_of(examples), whole_texts(examples), scored.predicted - scored.actual
    order = np.argsort(-np.abs(errors), kind="stable")[: params.worst]
    return [
        {
            "line": places[row],
            "id": examples["id"][row].as_py(),
            "text": texts[row],
            "label": float(scored.actual[row]),
            "predicted": float(scored.predicted[row]),
            "error": float(errors[row]),
        }
        for row in order.tolist()
    ]


def _detail(measured: Measured, _predictions: pa.Table, _kept: Document, _params: Any) -> Details:
    """Return the mean truth and the mean answer of tenths of the test rows, by what is predicted for them."""
    model = measured.scored[MODEL]
    parts = np.array_split(np.argsort(model.predicted, kind="stable"), min(_PARTS, len(model.predicted)))
    table = [
        {
            "rows": len(rows),
            "low": float(model.predicted[rows[0]]),
            "high": float(model.predicted[rows[-1]]),
            "predicted": float(model.predicted[rows].mean()),
            "actual": float(model.actual[rows].mean()),
            "rmse": float(np.sqrt(np.mean((model.predicted[rows] - model.actual[rows]) ** 2))),
        }
        for rows in parts
    ]
    return Details(model={"parts": table}, whole={})


def _spell(table: pa.Table, column: str) -> list[str]:
    return [repr(value) for value in table[column].to_pylist()]


MEASURES = Measures(
    metrics=NUMBER_METRICS,
    baselines=NUMBER_BASELINES,
    predict=_predict,
    tabulate=_tabulate,
    score_rows=_score,
    compute=compute_number_metrics,
    right=None,
    truths=lambda table: _spell(table, "label"),
    answers=lambda table: _spell(table, "predicted"),
    slices=_slice,
    groups=_group,
    worst=_list_largest_errors,
    variants=lambda _predictions, _kept: {},
    details=_detail,
    project=measure_width,
    calibrate=lambda _tokens, _model, _params: {},
)
