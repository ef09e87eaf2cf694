"""The evaluation of a model on the test split: one document of metrics, comparisons, slices and errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.calibration.counts import count_answers
from pipeline.calibration.decision import PLAIN, Decision
from pipeline.calibration.temperature import apply_temperature
from pipeline.core.document import Document
from pipeline.evaluate.align import EvaluationRows
from pipeline.evaluate.bootstrap import bootstrap, bootstrap_macro_f1, estimate_headline, percentile_interval
from pipeline.evaluate.estimate import UNDEFINED, Estimate, share_interval, wilson_interval
from pipeline.evaluate.mcnemar import detectable_difference, mcnemar, paired_p_value
from pipeline.evaluate.metrics import (
    HEADLINE_METRICS,
    Floats,
    Scored,
    calibration,
    class_table,
    compute_headline,
    confusion_matrix,
    has_one_class,
    macro_f1,
    score_predictions,
    select_rows,
)
from pipeline.evaluate.slices import Slice, slice_by_column, slice_by_length
from pipeline.settings.task import EvaluateParams

BASELINE_NAMES = ("tfidf", "probe", "majority")

_ACCURACY, _MACRO_F1 = HEADLINE_METRICS.index("accuracy"), HEADLINE_METRICS.index("macro_f1")
_LOG_LOSS = HEADLINE_METRICS.index("log_loss")
_PROBABILISTIC = ("log_loss", "brier", "ece")  # the metrics that a temperature changes
_UNCALIBRATED = "uncalibrated"


def evaluate(
    params: EvaluateParams,
    labels: Sequence[str],
    rows: EvaluationRows,
    probabilities: Mapping[str, Floats],
    *,
    temperature: float = 1.0,
    decision: Decision = PLAIN,
) -> Document:
    """Return the evaluation of the model beside its baselines, ready for strict JSON.

    `probabilities` maps "model" and each of `BASELINE_NAMES` to (N, C). Those of the model have a `temperature`, and
    are compared with those without it. Every interval comes from the same resamples, except those of slices and of the
    answers of a `decision`: those are Wilson's, as such rows are few and often flawless.
    """
    names = ("model", *BASELINE_NAMES, _UNCALIBRATED)
    before = apply_temperature(probabilities["model"], 1 / temperature)
    given = {**probabilities, _UNCALIBRATED: before}
    models = [score_predictions(rows.actual, given[name], bins=params.bins) for name in names]
    draws = bootstrap(models, resamples=params.resamples, rng=np.random.default_rng(params.seed))
    values = [compute_headline(data, np.ones(len(data.actual))) for data in models]
    estimates = {
        name: _to_documents(estimate_headline(data, values[at], draws[:, at], confidence=params.confidence))
        for at, (name, data) in enumerate(zip(names, models, strict=True))
    }
    model = models[0]
    matrix = confusion_matrix(model.actual, model.predicted, model.classes)

    def compare(at: int, other: int) -> Document:
        gaps = draws[:, at] - draws[:, other]
        return _compare(params, names[other], (models[at], models[other]), values[at] - values[other], gaps)

    change, gaps = values[0] - values[-1], draws[:, 0] - draws[:, -1]
    loss = percentile_interval(change[_LOG_LOSS], gaps[:, _LOG_LOSS], confidence=params.confidence)
    return {
        "task": params.task,
        "labels": list(labels),
        "rows": len(rows.ids),
        "confidence": params.confidence,
        "model": {
            **estimates["model"],
            "classes": class_table(matrix, labels),
            "confusion": matrix.tolist(),
            "calibration": calibration(model, bins=params.bins),
        },
        "baselines": {name: estimates[name] for name in BASELINE_NAMES},
        "calibration": {
            "temperature": temperature,
            "before": {name: estimates[_UNCALIBRATED][name] for name in _PROBABILISTIC},
            "after": {name: estimates["model"][name] for name in _PROBABILISTIC},
            "log_loss": _to_difference(loss),
        },
        "decision": _evaluate_decision(params, labels, probabilities["model"], rows, decision),
        "comparisons": [compare(0, names.index(name)) for name in BASELINE_NAMES],
        "probe_over_tfidf": compare(names.index("probe"), names.index("tfidf")),
        "slices": [_evaluate_slice(params, select_rows(model, part.rows), part) for part in _slices(params, rows)],
        "worst": list_surest_errors(model, rows, labels, most=params.worst),
    }


def list_surest_errors(model: Scored, rows: EvaluationRows, labels: Sequence[str], *, most: int) -> list[Document]:
    """Return the errors the model was surest of, the surest first, equals in the order of the rows."""
    wrong = np.flatnonzero(~model.right)
    order = wrong[np.argsort(-model.confidence[wrong], kind="stable")][:most]
    return [
        {
            "line": rows.places[row],
            "id": rows.ids[row],
            "text": rows.texts[row],
            "label": labels[model.actual[row]],
            "predicted": labels[model.predicted[row]],
            "confidence": float(model.confidence[row]),
        }
        for row in order
    ]


def _evaluate_decision(
    params: EvaluateParams, labels: Sequence[str], probabilities: Floats, rows: EvaluationRows, decision: Decision
) -> Document | None:
    """Return how the answers of a decision do; None if it is to answer the most probable class always."""
    if decision == PLAIN:
        return None
    counts = count_answers(probabilities, rows.actual, labels, decision)
    shares = {"coverage": (counts.sure, counts.rows), "accuracy_answered": (counts.right, counts.sure)}
    if decision.favoured is not None:
        shares |= {"precision": (counts.hits, counts.called), "recall": (counts.hits, counts.members)}
    estimates = {name: share_interval(*pair, confidence=params.confidence)._asdict() for name, pair in shares.items()}
    return {**decision._asdict(), **estimates}


def _compare(
    params: EvaluateParams, against: str, models: tuple[Scored, Scored], differences: Floats, gaps: Floats
) -> Document:
    """Return how a model differs from a baseline on the same rows.

    `differences` are those of the headline metrics, (5,), and `gaps` the resampled ones, (R, 5).
    """
    model, baseline = models
    test = mcnemar(model.right, baseline.right)
    discordant = test.model_only + test.baseline_only
    smallest = detectable_difference(len(model.actual), discordant, confidence=params.confidence)
    one_class = has_one_class(model)
    gain, f1_gain = (
        UNDEFINED
        if at == _MACRO_F1 and one_class
        else percentile_interval(differences[at], gaps[:, at], confidence=params.confidence)
        for at in (_ACCURACY, _MACRO_F1)
    )
    p_value = None if one_class else paired_p_value(gaps[:, _MACRO_F1])
    return {
        "against": against,
        "accuracy": _to_difference(gain) | {"detectable": smallest},
        "macro_f1": _to_difference(f1_gain) | {"p_value": p_value},
        "mcnemar": test._asdict(),
    }


def _to_difference(estimate: Estimate) -> Document:
    """Return an estimate of a difference under the names of the document."""
    return {"difference": estimate.value, "low": estimate.low, "high": estimate.high, "reason": estimate.reason}


def _evaluate_slice(params: EvaluateParams, data: Scored, part: Slice) -> Document:
    """Return the accuracy and macro-F1 of a slice; its resamples depend on its own rows alone."""
    f1 = UNDEFINED
    if not has_one_class(data):
        matrix = confusion_matrix(data.actual, data.predicted, data.classes)
        draws = bootstrap_macro_f1(matrix, resamples=params.resamples, rng=np.random.default_rng(params.seed))
        f1 = percentile_interval(macro_f1(matrix), draws, confidence=params.confidence)
    return {
        "slice": part.slice,
        "value": part.value,
        "rows": len(part.rows),
        "accuracy": wilson_interval(int(data.right.sum()), len(part.rows), confidence=params.confidence)._asdict(),
        "macro_f1": f1._asdict(),
    }


def _slices(params: EvaluateParams, rows: EvaluationRows) -> list[Slice]:
    """Return the slices by length, then by each column, that are large enough."""
    parts = slice_by_length(rows.texts, params.length_edges)
    for name, values in rows.columns.items():
        parts += slice_by_column(name, values)
    return [part for part in parts if len(part.rows) >= params.min_slice_rows]


def _to_documents(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return estimates as JSON objects."""
    return {name: estimate._asdict() for name, estimate in estimates.items()}
