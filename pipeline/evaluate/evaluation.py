"""All that is known about a model on the test split, as one value."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.evaluate.align import Rows
from pipeline.evaluate.bootstrap import (
    UNDEFINED,
    Estimate,
    bootstrap,
    bootstrap_macro_f1,
    estimate,
    one_class,
    summary,
    wilson,
)
from pipeline.evaluate.mcnemar import detectable, mcnemar, paired_p_value
from pipeline.evaluate.metrics import (
    HEADLINE,
    Floats,
    Scored,
    calibration,
    class_table,
    confusion_matrix,
    headline,
    macro_f1,
    scored,
    subset,
)
from pipeline.evaluate.slices import Slice, by_column, by_length
from pipeline.settings.task import EvaluateParams

BASELINES = ("tfidf", "probe", "majority")


FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # spreadsheets know the wide ones too


ACCURACY, MACRO_F1 = HEADLINE.index("accuracy"), HEADLINE.index("macro_f1")


def evaluate(
    params: EvaluateParams, labels: Sequence[str], rows: Rows, probabilities: Mapping[str, Floats]
) -> dict[str, Any]:
    """Return the evaluation of the model beside its baselines, ready for strict JSON.

    `probabilities` maps "model" and each of `BASELINES` to (N, C). Every interval comes from the same resamples,
    except the accuracies of slices: Wilson's, as slices are small and often flawless.
    """
    names = ("model", *BASELINES)
    data = [scored(rows.actual, probabilities[name], bins=params.bins) for name in names]
    draws = bootstrap(data, resamples=params.resamples, rng=np.random.default_rng(params.seed))
    found = {
        name: _documented(summary(one, draws[:, at], confidence=params.confidence))
        for at, (name, one) in enumerate(zip(names, data, strict=True))
    }
    model = data[0]
    matrix = confusion_matrix(model.actual, model.predicted, model.classes)
    return {
        "task": params.task,
        "labels": list(labels),
        "rows": len(rows.ids),
        "confidence": params.confidence,
        "model": {
            **found["model"],
            "classes": class_table(matrix, labels),
            "confusion": matrix.tolist(),
            "calibration": calibration(model, bins=params.bins),
        },
        "baselines": {name: found[name] for name in BASELINES},
        "comparisons": [
            _comparison(params, name, (model, data[at]), (draws[:, 0], draws[:, at]))
            for at, name in enumerate(BASELINES, start=1)
        ],
        "slices": [_slice(params, subset(model, part.rows), part) for part in _slices(params, rows)],
        "worst": worst(model, rows, labels, most=params.worst),
    }


def headline_numbers(evaluation: Mapping[str, Any]) -> dict[str, float | str | None]:
    """Return the flat metrics of an evaluation: 6 significant digits, so that Git shows changes and not noise.

    `gain` is the accuracy beyond TF-IDF's, `probe_gain` beyond the linear probe's; the p values are McNemar's exact
    ones. A key ending in `_reason` is there only where something is null, and says why.
    """
    model, baselines = evaluation["model"], evaluation["baselines"]
    against, probe = (
        next(one for one in evaluation["comparisons"] if one["against"] == name) for name in ("tfidf", "probe")
    )
    numbers = {
        "accuracy": model["accuracy"]["value"],
        "accuracy_low": model["accuracy"]["low"],
        "accuracy_high": model["accuracy"]["high"],
        "macro_f1": model["macro_f1"]["value"],
        "macro_f1_low": model["macro_f1"]["low"],
        "macro_f1_high": model["macro_f1"]["high"],
        "log_loss": model["log_loss"]["value"],
        "brier": model["brier"]["value"],
        "ece": model["ece"]["value"],
        "tfidf_accuracy": baselines["tfidf"]["accuracy"]["value"],
        "tfidf_macro_f1": baselines["tfidf"]["macro_f1"]["value"],
        "probe_accuracy": baselines["probe"]["accuracy"]["value"],
        "probe_macro_f1": baselines["probe"]["macro_f1"]["value"],
        "majority_accuracy": baselines["majority"]["accuracy"]["value"],
        "gain_over_tfidf": against["accuracy"]["difference"],
        "gain_low": against["accuracy"]["low"],
        "gain_high": against["accuracy"]["high"],
        "gain_p_value": against["mcnemar"]["p_value"],
        "gain_over_probe": probe["accuracy"]["difference"],
        "probe_gain_low": probe["accuracy"]["low"],
        "probe_gain_high": probe["accuracy"]["high"],
        "probe_gain_p_value": probe["mcnemar"]["p_value"],
        "examples": evaluation["rows"],
    }
    rounded = {name: float(f"{one:.6g}") if isinstance(one, float) else one for name, one in numbers.items()}
    sources = {
        "accuracy": model["accuracy"],
        "macro_f1": model["macro_f1"],
        "gain": against["accuracy"],
        "probe_gain": probe["accuracy"],
    }
    return rounded | {f"{name}_reason": source["reason"] for name, source in sources.items() if source["reason"]}


def worst(model: Scored, rows: Rows, labels: Sequence[str], *, most: int) -> list[dict[str, Any]]:
    """Return the errors the model was surest of, the surest first, equals in the order of the rows."""
    wrong = np.flatnonzero(~model.right)
    order = wrong[np.argsort(-model.confidence[wrong], kind="stable")][:most]
    return [
        {
            "id": rows.ids[row],
            "text": rows.texts[row],
            "label": labels[model.actual[row]],
            "predicted": labels[model.predicted[row]],
            "confidence": float(model.confidence[row]),
        }
        for row in order
    ]


def confusion_csv(actual: Sequence[str], predicted: Sequence[str]) -> str:
    """Return a CSV with one line an example: its class and the class predicted.

    Class names are somebody's text, and a spreadsheet runs a cell that starts like a formula, so those get a leading
    apostrophe, as in OWASP ASVS 5.0, requirement 1.2.10. The true names are in the predictions.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(("actual", "predicted"))
    writer.writerows(zip(map(_inert, actual), map(_inert, predicted), strict=True))
    return stream.getvalue()


def _inert(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip().startswith(FORMULA_STARTS) or cell[:1].isspace() else cell


def _comparison(
    params: EvaluateParams, name: str, data: tuple[Scored, Scored], draws: tuple[Floats, Floats]
) -> dict[str, Any]:
    """Return how the model differs from a baseline on the same rows and the same resamples."""
    model, baseline = data
    rows = len(model.actual)
    values = headline(model, np.ones(rows)) - headline(baseline, np.ones(rows))
    gaps = draws[0] - draws[1]
    test = mcnemar(model.right, baseline.right)
    smallest = detectable(rows, test.model_only + test.baseline_only, confidence=params.confidence)
    gain, f1_gain = (
        _difference(estimate(values[at], gaps[:, at], confidence=params.confidence)) for at in (ACCURACY, MACRO_F1)
    )
    f1_gain["p_value"] = paired_p_value(gaps[:, MACRO_F1])
    if one_class(model):
        f1_gain = _difference(UNDEFINED) | {"p_value": None}
    return {
        "against": name,
        "accuracy": gain | {"detectable": smallest},
        "macro_f1": f1_gain,
        "mcnemar": test._asdict(),
    }


def _difference(found: Estimate) -> dict[str, Any]:
    """Return an estimate of a difference under the names of the document."""
    return {"difference": found.value, "low": found.low, "high": found.high, "reason": found.reason}


def _slice(params: EvaluateParams, data: Scored, part: Slice) -> dict[str, Any]:
    """Return the accuracy and macro-F1 of a slice; its resamples depend on its own rows alone."""
    matrix = confusion_matrix(data.actual, data.predicted, data.classes)
    draws = bootstrap_macro_f1(matrix, resamples=params.resamples, rng=np.random.default_rng(params.seed))
    f1 = UNDEFINED if one_class(data) else estimate(macro_f1(matrix), draws, confidence=params.confidence)
    return {
        "slice": part.slice,
        "value": part.value,
        "rows": len(part.rows),
        "accuracy": wilson(int(data.right.sum()), len(part.rows), confidence=params.confidence)._asdict(),
        "macro_f1": f1._asdict(),
    }


def _slices(params: EvaluateParams, rows: Rows) -> list[Slice]:
    """Return the slices by length, then by each column, that are large enough."""
    parts = by_length(rows.texts, params.length_edges)
    for name, values in rows.columns.items():
        parts += by_column(name, values)
    return [part for part in parts if len(part.rows) >= params.min_slice_rows]


def _documented(found: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return estimates as maps."""
    return {name: one._asdict() for name, one in found.items()}
