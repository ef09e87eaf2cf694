"""Baselines of text regression: the mean, and ridge regression on n-grams and on frozen features."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.linear_model import Ridge

from pipeline.evaluate.align import select_split
from pipeline.evaluate.baselines import Baselines, FittedBaselines, ReadVectors, Transform, fit_scaler
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.evaluate.ngrams import FittedNgrams, Ngrams, ReadTexts, count_ngrams, fit_weights
from pipeline.examples.pairs import read_seconds, read_texts, second_texts
from pipeline.kinds.text_regression.baseline_names import NUMBER_BASELINES
from pipeline.linear.estimators import keep_ridge
from pipeline.linear.saved import SavedLinear
from pipeline.settings.task import BaselineParams


class RidgeFit(NamedTuple, Generic[Transform]):
    """Ridge regression: the choice that did best on validation, and what computes."""

    choice: str
    transform: Transform
    model: Ridge


def _fit(params: BaselineParams, examples: pa.Table, vectors: ReadVectors) -> FittedBaselines:
    """Return the baselines of numbers; those of pairs have one more, which reads the second text alone."""
    train, validation = (_list_rows(examples, split) for split in ("train", "validation"))
    ngrams = count_ngrams(params, examples["text"].to_pylist(), second_texts(examples))
    limit, mean = params.max_iter, train[1].mean()
    tfidf = fit_ridge(params.strengths, limit, fit_weights(params, ngrams, train[0]), train, validation)
    second = None
    if ngrams.seconds is not None:
        weights = fit_weights(params, Ngrams(ngrams.seconds, ngrams.terms), train[0])
        second = fit_ridge(params.strengths, limit, weights, train, validation)
    own = vectors()
    known, tuned = ((own[places], numbers) for places, numbers in (train, validation))
    probe = fit_ridge(params.probe_strengths, limit, {"frozen features": fit_scaler(known[0])}, known, tuned)
    ask_tfidf, ask_second = (
        _open(tfidf),
        None if second is None else _open(second, read_seconds),
    )

    def answer(rows: pa.Table, vectors: ReadVectors) -> dict[str, pa.Array]:
        numbers = {
            "tfidf": ask_tfidf(rows),
            "probe": predict_ridge(probe.model, probe.transform(vectors())),
            **({} if ask_second is None else {"second": ask_second(rows)}),
            "mean": np.full(rows.num_rows, mean),
        }
        return {name: pa.array(values) for name, values in numbers.items()}

    fits: dict[str, RidgeFit[Any]] = {"tfidf": tfidf, "probe": probe, **({} if second is None else {"second": second})}
    lines = [f"{name}: {fit.choice}" for name, fit in fits.items()]
    return FittedBaselines(answer, lines, _keep(NUMBER_BASELINES.cheap.name, tfidf))


def _list_rows(examples: pa.Table, split: str) -> tuple[Ints, Floats]:
    """Return the positions of the rows of a split, and their numbers."""
    numbers = select_split(examples, split)["label"].to_numpy()
    return np.flatnonzero(examples["split"].to_numpy() == split), numbers


def _open(fit: RidgeFit[FittedNgrams], read: ReadTexts = read_texts) -> Callable[[pa.Table], Floats]:
    """Return the function from examples to their numbers; it holds no counts."""
    featurize, model = fit.transform.open(read), fit.model
    return lambda rows: predict_ridge(model, featurize(rows))


def _keep(name: str, fit: RidgeFit[FittedNgrams]) -> SavedLinear:
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


def predict_ridge(model: Ridge, features: Any) -> Floats:
    """Return the numbers of N rows of features, (N,)."""
    return np.asarray(model.predict(features), dtype=np.float64)


def fit_ridge(
    strengths: Sequence[float],
    max_iter: int,
    transforms: Mapping[str, Transform],
    train: tuple[Any, Floats],
    validation: tuple[Any, Floats],
) -> RidgeFit[Transform]:
    """Return ridge regression, fitted to the inputs and numbers of train.

    The transform and the strength (the inverse of the penalty) are those with the least RMSE on validation, of equals
    the first transform and the smallest strength.

    Source: Hoerl and Kennard (1970), Technometrics 12(1).
    """
    choices: list[tuple[float, RidgeFit[Transform]]] = []
    for name, transform in transforms.items():
        inputs, held_out = transform(train[0]), transform(validation[0])
        for strength in sorted(set(strengths)):
            model = Ridge(alpha=1 / strength, max_iter=max_iter).fit(inputs, train[1])
            rmse = float(np.sqrt(np.mean((model.predict(held_out) - validation[1]) ** 2)))
            line = f"{name}, strength {strength:g}, RMSE {rmse:.4f} on validation"
            choices.append((rmse, RidgeFit(line, transform, model)))
    return min(choices, key=lambda choice: choice[0])[1]


BASELINES = Baselines(fit=_fit, inspect=None)
