"""Baselines of multi-label classification: prevalence, and a linear model for each label on n-grams and features."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from pipeline.evaluate.align import select_split
from pipeline.evaluate.baselines import (
    Baselines,
    Features,
    FittedBaselines,
    ReadVectors,
    Transform,
    fit_logistic,
    fit_scaler,
)
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.evaluate.ngrams import FittedNgrams, count_ngrams, fit_weights
from pipeline.kinds.multi_label_classification.baseline_names import LABEL_SET_BASELINES
from pipeline.kinds.multi_label_classification.metrics import (
    Bools,
    apply_thresholds,
    choose_thresholds,
    compute_average_precisions,
    score_label_sets,
    to_indicators,
    to_lists,
)
from pipeline.linear.estimators import estimate_labels, keep_labels
from pipeline.linear.saved import SavedLinear
from pipeline.settings.task import BaselineParams

ANSWER = pa.struct({"probabilities": pa.list_(pa.float64()), "labels": pa.list_(pa.int64())})


class _Parts(NamedTuple):
    """Positions of the examples to learn from and to choose on, and which labels these have."""

    train: Ints
    validation: Ints
    known: Bools
    tuned: Bools


class _Fit(NamedTuple, Generic[Transform]):
    """A fitted baseline: the probabilities of validation, the choice, and what computes others."""

    held_out: Floats
    choice: str
    transform: Transform
    models: list[LogisticRegression | float]


def _fit(params: BaselineParams, examples: pa.Table, vectors: ReadVectors) -> FittedBaselines:
    """Return the baselines of label sets, with thresholds that validation chooses as it does for the model."""
    parts = _split(examples)
    weights = fit_weights(params, count_ngrams(params, examples["text"].to_pylist()), parts.train)
    tfidf = _fit_best(params.strengths, params.max_iter, weights, parts, (parts.train, parts.validation))
    own = vectors()
    scale, inputs = {"frozen features": fit_scaler(own[parts.train])}, (own[parts.train], own[parts.validation])
    probe = _fit_best(params.probe_strengths, params.max_iter, scale, parts, inputs)
    prevalence = parts.known.mean(axis=0)
    held_out = {
        "tfidf": tfidf.held_out,
        "probe": probe.held_out,
        "prevalence": np.tile(prevalence, (len(parts.validation), 1)),
    }
    thresholds = {name: choose_thresholds(values, parts.tuned) for name, values in held_out.items()}
    featurize, models = tfidf.transform.open(), tfidf.models

    def answer(rows: pa.Table, vectors: ReadVectors) -> dict[str, pa.Array]:
        probabilities = {
            "tfidf": estimate_labels(models, featurize(rows)),
            "probe": estimate_labels(probe.models, probe.transform(vectors())),
            "prevalence": np.tile(prevalence, (rows.num_rows, 1)),
        }
        return {name: _answer(values, thresholds[name]) for name, values in probabilities.items()}

    choices = {"tfidf": tfidf.choice, "probe": probe.choice, "prevalence": "shares of train"}
    lines = [f"{name}: {choice}" for name, choice in choices.items()]
    cheap = LABEL_SET_BASELINES.cheap.name
    return FittedBaselines(answer, lines, _keep(cheap, tfidf, thresholds[cheap]))


def _keep(name: str, fit: _Fit[FittedNgrams], thresholds: Floats) -> SavedLinear:
    return SavedLinear(
        kind="multi-label-classification",
        form="labels",
        name=name,
        choice=fit.choice,
        decision=thresholds.tolist(),
        ngrams=fit.transform.list_weights(),
        arrays=keep_labels(fit.models),
    )


def _split(examples: pa.Table) -> _Parts:
    splits = examples["split"].to_numpy()
    train, validation = (np.flatnonzero(splits == split) for split in ("train", "validation"))
    known, tuned = (
        to_indicators(select_split(examples, split)["labels"], examples) for split in ("train", "validation")
    )
    return _Parts(train, validation, known, tuned)


def _fit_best(
    strengths: Sequence[float],
    max_iter: int,
    transforms: Mapping[str, Transform],
    parts: _Parts,
    inputs: tuple[Any, Any],
) -> _Fit[Transform]:
    """Return a logistic regression for each label; `inputs` are those of train and of validation.

    The transform and the strength are those with the best mean average precision on validation, of equals the first
    transform and the smallest strength: by what a checkpoint of the model is chosen too.

    Raises:
        UsageError: The solver did not converge.
    """
    best: tuple[float, _Fit[Transform]] | None = None  # one alone is held: the weights of all labels are large
    for name, transform in transforms.items():
        known, held_out = map(transform, inputs)
        for strength in sorted(set(strengths)):
            models = [_fit_label(strength, max_iter, known, has) for has in parts.known.T]
            tuned = estimate_labels(models, held_out)
            scored = score_label_sets(parts.tuned, tuned, np.zeros_like(parts.tuned))
            precisions = compute_average_precisions(scored, np.ones(len(tuned)))
            score = float(np.nanmean(precisions)) if parts.tuned.any() else 0.0
            line = f"{name}, strength {strength:g}, mean average precision {score:.4f} on validation"
            if best is None or score > best[0]:
                best = score, _Fit(tuned, line, transform, models)
    assert best is not None  # noqa: S101 - params hold a strength
    return best[1]


def _fit_label(strength: float, max_iter: int, inputs: Features, known: Bools) -> LogisticRegression | float:
    """Return the model of a label, or its share in train if all train rows have it, or none."""
    if known.all() or not known.any():
        return float(known[0])
    return fit_logistic(strength, max_iter, inputs, known.astype(np.int64))


def _answer(probabilities: Floats, thresholds: Floats) -> pa.Array:
    """Return the answers of a baseline, by the thresholds that validation has chosen for it."""
    predicted = apply_thresholds(probabilities, thresholds)
    values = [pa.array(list(probabilities), pa.list_(pa.float64())), to_lists(predicted)]
    return pa.StructArray.from_arrays(values, fields=list(ANSWER))


BASELINES = Baselines(fit=_fit, inspect=None)
