"""The evaluation of a model on the test split: one document of metrics, comparisons, slices and errors."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.tables import labels_of
from pipeline.evaluate.bootstrap import bootstrap, estimate_metrics, percentile_interval
from pipeline.evaluate.estimate import Estimate, wilson_interval
from pipeline.evaluate.kind import Measured, Measures, Scored, compute_metrics, count_rows, index_units, select_rows
from pipeline.evaluate.mcnemar import detectable_difference, mcnemar, paired_p_value
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.evaluate.slices import Slice
from pipeline.settings.task import EvaluateParams

MODEL = "model"


def evaluate(
    measures: Measures,
    params: EvaluateParams,
    examples: pa.Table,
    slices: Sequence[Slice],
    predictions: Mapping[str, pa.Table],
    calibration: Document,
) -> Document:
    """Return the evaluation of the model beside its baselines, ready for strict JSON.

    `examples` are those of the test split, `slices` parts of them; `predictions` maps "model", each rival and each
    variant of the kind to what it predicts for them, and `calibration` is the document of `calibrate`. Every interval
    comes from the same resamples, except those of the shares of right rows in slices: those are Wilson's, as such rows
    are few and often flawless.
    """
    own, names = predictions[MODEL], measures.baselines
    rivals = names.listed(predictions)
    units = index_units(measures, own)
    measured = _measure(measures, params, predictions, units)
    details = measures.details(measured, own, calibration, params)

    def compare(name: str, other: str) -> Document:
        return {"against": other, **_compare(measures, params, measured, (name, other), units)}

    def estimate(name: str) -> Document:
        return {key: value._asdict() for key, value in measured.estimates[name].items()}

    document = {
        "task": params.task,
        "labels": list(labels_of(own)),
        "rows": own.num_rows,
        "confidence": params.confidence,
        "model": {**estimate(MODEL), **details.model},
        "baselines": {rival.name: estimate(rival.name) for rival in rivals},
        **details.whole,
        "comparisons": [compare(MODEL, rival.name) for rival in rivals],
    }
    if names.probe:
        document[probe_key(measures)] = compare(names.probe.name, names.cheap.name)
    whole = measured.scored[MODEL]
    document["slices"] = [_evaluate_slice(measures, params, whole, part, units) for part in slices]
    document["worst"] = measures.worst(whole, examples, own, params)
    return document


def probe_key(measures: Measures) -> str:
    """Return the key under which an evaluation compares the probe with the cheap rival."""
    probe = measures.baselines.probe
    return f"{probe.name if probe else ''}_over_{measures.baselines.cheap.name}"


def _measure(
    measures: Measures, params: EvaluateParams, predictions: Mapping[str, pa.Table], units: Ints | None
) -> Measured:
    truth, names = predictions[MODEL], list(predictions)
    scored = [measures.score_rows(truth, predictions[name], params) for name in names]
    rng = np.random.default_rng(params.seed)
    draws = bootstrap(measures, scored, resamples=params.resamples, rng=rng, units=units)
    values = [compute_metrics(measures, data) for data in scored]
    estimates = [
        estimate_metrics(measures, data, values[at], draws[:, at], confidence=params.confidence, units=units)
        for at, data in enumerate(scored)
    ]
    return Measured(
        scored=dict(zip(names, scored, strict=True)),
        values=dict(zip(names, values, strict=True)),
        draws={name: draws[:, at] for at, name in enumerate(names)},
        estimates=dict(zip(names, estimates, strict=True)),
    )


def _compare(
    measures: Measures,
    params: EvaluateParams,
    measured: Measured,
    names: tuple[str, str],
    units: Ints | None,
) -> Document:
    """Return how the first of two models differs from the second on the same rows."""
    model, other = (measured.scored[name] for name in names)
    values, draws = (values[names[0]] - values[names[1]] for values in (measured.values, measured.draws))
    right = measures.right if units is None else None
    test = mcnemar(right.rows(model), right.rows(other)) if right else None
    document: Document = {}
    for at, metric in enumerate(measures.metrics):
        if not metric.compared:
            continue
        gap = percentile_interval(values[at], draws[:, at], confidence=params.confidence, undefined=metric.undefined)
        document[metric.name] = describe_gap(gap)
        if test and right and metric.name == right.metric:
            discordant = test.model_only + test.baseline_only
            smallest = detectable_difference(count_rows(model), discordant, confidence=params.confidence)
            document[metric.name] |= {"detectable": smallest}
        else:
            document[metric.name] |= {"p_value": _test(gap, draws[:, at])}
    return document | {"mcnemar": test._asdict() if test else None}


def _test(gap: Estimate, draws: Floats) -> float | None:
    """Return the p value of a difference from its resamples, (R,); None if it is undefined."""
    return None if gap.value is None else paired_p_value(draws[~np.isnan(draws)])


def describe_gap(estimate: Estimate) -> Document:
    """Return an estimate of a difference under the names of the document."""
    return {"difference": estimate.value, "low": estimate.low, "high": estimate.high, "reason": estimate.reason}


def _evaluate_slice(
    measures: Measures, params: EvaluateParams, whole: Scored, part: Slice, units: Ints | None
) -> Document:
    """Return the compared metrics of a slice; its resamples depend on its own rows alone."""
    data = select_rows(whole, part.rows)
    own = None if units is None else np.unique(units[part.rows], return_inverse=True)[1]
    rng = np.random.default_rng(params.seed)
    draws = bootstrap(measures, [data], resamples=params.resamples, rng=rng, units=own)[:, 0]
    values = compute_metrics(measures, data)
    estimates = estimate_metrics(measures, data, values, draws, confidence=params.confidence, units=own)
    if (right := measures.right) and own is None:
        rows = right.rows(data)
        estimates[right.metric] = wilson_interval(int(rows.sum()), len(rows), confidence=params.confidence)
    compared = {metric.name: estimates[metric.name]._asdict() for metric in measures.metrics if metric.compared}
    return {"slice": part.slice, "value": part.value, "rows": len(part.rows), **compared}
