"""Baselines of text regression: the mean, and ridge regression on n-grams and on frozen features."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.linear_model import Ridge

from pipeline.core.tables import describe, task_of
from pipeline.evaluate.align import align, select_split, to_vectors
from pipeline.evaluate.baselines import Baselines, fit_scaler
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.evaluate.ngrams import FittedNgrams, Ngrams, count_ngrams, fit_weights
from pipeline.examples.pairs import second_texts
from pipeline.kinds.text_regression.baseline_names import NUMBER_BASELINES
from pipeline.linear.estimators import keep_ridge
from pipeline.linear.saved import SavedLinear
from pipeline.settings.task import BaselineParams

_Rows = tuple[Ints, Ints, Ints]  # positions to learn from, to choose on and to answer


class RidgeFit(NamedTuple):
    """Ridge regression: its numbers for some rows, the choice that did best on validation, and what computes."""

    numbers: Floats
    choice: str
    transform: Callable[[Ints], Any]
    model: Ridge


def _predict(
    params: BaselineParams, examples: pa.Table, features: pa.Table
) -> tuple[pa.Table, list[str], SavedLinear | None]:
    """Return the number that each baseline gives every row outside train, and the choices made for them."""
    for split in ("train", "validation"):
        select_split(examples, split)
    aligned = align(features, examples["id"].to_pylist(), like=examples, what="features", split=None)
    vectors, numbers, splits = (
        to_vectors(aligned["features"]),
        examples["label"].to_numpy(),
        examples["split"].to_numpy(),
    )
    train, validation, own = (
        np.flatnonzero(mask) for mask in (splits == "train", splits == "validation", splits != "train")
    )
    ngrams = count_ngrams(params, examples["text"].to_pylist(), second_texts(examples))
    scale, rows = fit_scaler(vectors[train]), (train, validation, own)
    limit = params.max_iter
    fits = {
        "tfidf": fit_ridge(params.strengths, limit, fit_weights(params, ngrams, train), numbers, rows),
        "probe": fit_ridge(
            params.probe_strengths, limit, {"frozen features": lambda places: scale(vectors[places])}, numbers, rows
        ),
    }
    if ngrams.seconds is not None:
        weights = fit_weights(params, Ngrams(ngrams.seconds), train)
        fits["second"] = fit_ridge(params.strengths, limit, weights, numbers, rows)
    outside = examples.take(pa.array(own))
    columns = {name: fit.numbers for name, fit in fits.items()}
    columns |= {"mean": np.full(len(own), numbers[train].mean())}
    table = pa.table({"id": outside["id"], "split": outside["split"], **columns})
    lines = [f"{name}: {fit.choice}" for name, fit in fits.items()]
    cheap = NUMBER_BASELINES.cheap.name
    return describe(table, task=task_of(examples), labels=()), lines, _keep(cheap, fits[cheap])


def _keep(name: str, fit: RidgeFit) -> SavedLinear | None:
    """Return a fit of n-grams as it is kept; of another None."""
    if not isinstance(fit.transform, FittedNgrams):
        return None
    return SavedLinear(
        kind="text-regression",
        form="numbers",
        name=name,
        choice=fit.choice,
        decision=None,
        ngrams=fit.transform.list_weights(),
        arrays=keep_ridge(fit.model),
        pairs=fit.transform.ngrams.seconds is not None,
    )


def fit_ridge(
    strengths: Sequence[float],
    max_iter: int,
    transforms: Mapping[str, Callable[[Ints], Any]],
    numbers: Floats,
    rows: _Rows,
) -> RidgeFit:
    """Return the numbers that ridge regression gives some rows, and the choice that did best on validation.

    It is fitted to train, with the transform and the strength (the inverse of the penalty) with the least RMSE on
    validation, of equals the first transform and the smallest strength.

    Source: Hoerl and Kennard (1970), Technometrics 12(1).
    """
    train, validation, _ = rows
    choices: list[tuple[float, RidgeFit]] = []
    for name, transform in transforms.items():
        inputs, held_out, asked = (transform(places) for places in rows)
        for strength in sorted(set(strengths)):
            model = Ridge(alpha=1 / strength, max_iter=max_iter).fit(inputs, numbers[train])
            rmse = float(np.sqrt(np.mean((model.predict(held_out) - numbers[validation]) ** 2)))
            line = f"{name}, strength {strength:g}, RMSE {rmse:.4f} on validation"
            predicted = np.asarray(model.predict(asked), dtype=np.float64)
            choices.append((rmse, RidgeFit(predicted, line, transform, model)))
    return min(choices, key=lambda choice: choice[0])[1]


BASELINES = Baselines(predict=_predict, inspect=None)
