"""Baselines of multi-label classification: prevalence, and a linear model for each label on n-grams and features."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from pipeline.core.tables import describe, labels_of, task_of
from pipeline.evaluate.align import align, select_split, to_vectors
from pipeline.evaluate.baselines import Baselines, Features, fit_logistic, fit_scaler
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
    """Positions of the examples to learn from, to choose on and to answer, and which labels the first two have."""

    train: Ints
    validation: Ints
    rows: Ints
    known: Bools
    tuned: Bools


class _Fit(NamedTuple):
    """A fitted baseline: the probabilities of the rows to answer and of validation, the choice, and what computes."""

    own: Floats
    held_out: Floats
    choice: str
    transform: Callable[[Ints], Any] | None = None
    models: list[LogisticRegression | float] | None = None


def _predict(
    params: BaselineParams, examples: pa.Table, features: pa.Table
) -> tuple[pa.Table, list[str], SavedLinear | None]:
    """Return the answers of each baseline, with thresholds that validation chooses as it does for the model."""
    aligned = align(features, examples["id"].to_pylist(), like=examples, what="features", split=None)
    vectors, parts = to_vectors(aligned["features"]), _split(examples)
    weights = fit_weights(params, count_ngrams(params, examples["text"].to_pylist()), parts.train)
    scale = fit_scaler(vectors[parts.train])
    prevalence = np.tile(parts.known.mean(axis=0), (examples.num_rows, 1))
    fits = {
        "tfidf": _fit_best(params.strengths, params.max_iter, weights, parts),
        "probe": _fit_best(
            params.probe_strengths, params.max_iter, {"frozen features": lambda rows: scale(vectors[rows])}, parts
        ),
        "prevalence": _Fit(prevalence[parts.rows], prevalence[parts.validation], "shares of train"),
    }
    thresholds = {name: choose_thresholds(fit.held_out, parts.tuned) for name, fit in fits.items()}
    columns = {name: _answer(fit.own, thresholds[name]) for name, fit in fits.items()}
    outside = examples.take(pa.array(parts.rows))
    table = pa.table({"id": outside["id"], "split": outside["split"], **columns})
    lines = [f"{name}: {fit.choice}" for name, fit in fits.items()]
    cheap = LABEL_SET_BASELINES.cheap.name
    saved = _keep(cheap, fits[cheap], thresholds[cheap])
    return describe(table, task=task_of(examples), labels=labels_of(examples)), lines, saved


def _keep(name: str, fit: _Fit, thresholds: Floats) -> SavedLinear | None:
    if not isinstance(fit.transform, FittedNgrams) or fit.models is None:
        return None
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
    return _Parts(train, validation, np.flatnonzero(splits != "train"), known, tuned)


def _fit_best(
    strengths: Sequence[float],
    max_iter: int,
    transforms: Mapping[str, Callable[[Ints], Any]],
    parts: _Parts,
) -> _Fit:
    """Return a logistic regression for each label.

    The transform and the strength are those with the best mean average precision on validation, of equals the first
    transform and the smallest strength: by what a checkpoint of the model is chosen too.

    Raises:
        UsageError: The solver did not converge.
    """
    best: tuple[float, _Fit] | None = None  # one alone is held: the weights of all labels are large
    for name, transform in transforms.items():
        inputs, held_out, own = (transform(rows) for rows in (parts.train, parts.validation, parts.rows))
        for strength in sorted(set(strengths)):
            models = [_fit_label(strength, max_iter, inputs, known) for known in parts.known.T]
            tuned = estimate_labels(models, held_out)
            scored = score_label_sets(parts.tuned, tuned, np.zeros_like(parts.tuned))
            precisions = compute_average_precisions(scored, np.ones(len(tuned)))
            score = float(np.nanmean(precisions)) if parts.tuned.any() else 0.0
            line = f"{name}, strength {strength:g}, mean average precision {score:.4f} on validation"
            if best is None or score > best[0]:
                best = score, _Fit(estimate_labels(models, own), tuned, line, transform, models)
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


BASELINES = Baselines(predict=_predict, inspect=None)
