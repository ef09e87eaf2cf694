"""Baselines, the models fine-tuning has to beat: the largest class, and logistic regression on TF-IDF or features."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.core.document import Document
from pipeline.core.errors import DataError, UsageError
from pipeline.core.tables import class_indices, describe, labels_of, task_of
from pipeline.evaluate.align import select_split
from pipeline.evaluate.metrics import Floats, Ints, Vectors, confusion_matrix, macro_f1
from pipeline.evaluate.ngrams import Ngrams, count_ngrams, fit_weights
from pipeline.examples.pairs import second_texts
from pipeline.linear.estimators import spread_probabilities
from pipeline.linear.saved import SavedLinear
from pipeline.settings.task import BaselineParams, ProbeParams

Features: TypeAlias = csr_matrix | Floats
Transform: TypeAlias = Callable[[Any], Features]


class Baselines(NamedTuple):
    """The models of one kind that a transformer has to beat, and the search for labels that they contradict.

    Args:
        predict: `predict(params, examples, features)` are what each says of every row outside train, a table with `id`,
            `split` and a column a baseline, the choices made for them, a line each, and the cheap one, ready to be
            saved; None if nobody could ask it. `features` are the vectors of the rows of the inputs, as `extract` wrote
            them.
        inspect: `inspect(params, examples, features, done)` are the suspicious examples, their summary and the list of
            them for people; None if the kind has no such search.
    """

    predict: Callable[[Any, pa.Table, pa.Table], tuple[pa.Table, list[str], SavedLinear | None]]
    inspect: Callable[[Any, pa.Table, pa.Table, Callable[[int], None]], tuple[Document, list[Document]]] | None


class Fit(NamedTuple):
    """A fitted baseline: the features and strength that did best on validation, that macro-F1, and probabilities.

    `transform` makes the features, and `model` the probabilities of them.
    """

    features: str
    strength: float
    macro_f1: float
    probabilities: Floats
    transform: Transform
    model: LogisticRegression

    def describe(self) -> str:
        """Return the choice as one line."""
        return f"{self.features}, strength {self.strength:g}, macro-F1 {self.macro_f1:.4f} on validation"


def predict_baselines(
    params: BaselineParams, examples: pa.Table, features: Vectors
) -> tuple[pa.Table, list[str], Mapping[str, Fit]]:
    """Return the class probabilities of every row outside train by each baseline, the choices made, and the fits.

    The table has id, split, and a column for each baseline. All are fitted to the train split and tuned on validation.
    `features` (N, H) are the vectors of the N examples. Pairs have one baseline more, which reads the second text
    alone: what that gets right says nothing of the pair.

    Raises:
        DataError: A split is empty, train has one class only, or no n-gram is frequent enough.
        UsageError: The solver did not converge.

    Source: Poliak et al. (2018), Hypothesis only baselines in natural language inference, arXiv 1805.01042.
    """
    labels = labels_of(examples)
    train, validation = select_split(examples, "train"), select_split(examples, "validation")
    in_train, in_validation = (examples["split"].to_numpy() == split for split in ("train", "validation"))
    rows = examples.filter(pa.array(~in_train))
    known, tuned = class_indices(train), class_indices(validation)
    ngrams = count_ngrams(params, examples["text"].to_pylist(), second_texts(examples))
    predict = partial(
        predict_tfidf,
        params,
        train=(np.flatnonzero(in_train), known),
        validation=(np.flatnonzero(in_validation), tuned),
        rows=np.flatnonzero(~in_train),
        classes=len(labels),
    )
    fits = {
        "tfidf": predict(ngrams),
        "probe": predict_probe(
            params,
            train=(features[in_train], known),
            validation=(features[in_validation], tuned),
            features=features[~in_train],
            classes=len(labels),
        ),
        **({} if ngrams.seconds is None else {"second": predict(Ngrams(ngrams.seconds))}),
    }
    probabilities = {"majority": predict_majority(known, classes=len(labels), rows=rows.num_rows)}
    probabilities |= {name: fit.probabilities for name, fit in fits.items()}
    columns = {name: pa.array(list(values), pa.list_(pa.float64())) for name, values in probabilities.items()}
    table = pa.table({"id": rows["id"], "split": rows["split"], **columns})
    lines = [f"{name}: {fit.describe()}" for name, fit in fits.items()]
    return describe(table, task=task_of(examples), labels=labels), lines, fits


def predict_majority(train: Ints, *, classes: int, rows: int) -> Floats:
    """Return the class shares of the train split as the probabilities of each of `rows` rows, (rows, classes).

    `train` are class indices, at least one. The most probable class is the largest, the first of equals.
    """
    shares = np.bincount(train, minlength=classes) / len(train)
    return np.tile(shares, (rows, 1))


def predict_tfidf(
    params: BaselineParams,
    ngrams: Ngrams,
    *,
    train: tuple[Ints, Ints],
    validation: tuple[Ints, Ints],
    rows: Ints,
    classes: int,
) -> Fit:
    """Return the class probabilities of `rows` by logistic regression on TF-IDF features, (N, classes).

    `train` and `validation` are rows of `ngrams` and their class indices, (n,) each. Vocabulary, weights and model come
    from `train` alone (see `fit_weights`); `validation` chooses features and strength with the best macro-F1, the first
    of equals. Characters are a fair rival if blanks do not part words, or words have many endings. A class without
    train rows gets 0.

    Raises:
        DataError: The train split has one class only, or no n-gram is frequent enough.
        UsageError: The solver did not converge.

    Source: Pedregosa et al. (2011), JMLR 12; https://scikit-learn.org/stable/modules/feature_extraction.html, section
    "Tf-idf term weighting". Cavnar and Trenkle (1994), N-gram-based text categorization.
    """
    _require_two_classes(train[1])
    return predict_logistic(
        params.strengths,
        params.max_iter,
        fit_weights(params, ngrams, train[0]),
        train=train,
        validation=validation,
        inputs=rows,
        classes=classes,
    )


def predict_probe(
    params: ProbeParams,
    *,
    train: tuple[Vectors, Ints],
    validation: tuple[Vectors, Ints],
    features: Vectors,
    classes: int,
) -> Fit:
    """Return the class probabilities of N rows of `features` by a linear probe, (N, classes).

    The probe is logistic regression on the vectors of a frozen encoder, (N, H), in double precision, each number
    standardised by its mean and deviation in `train`; `validation` chooses the strength with the best macro-F1, the
    smaller of equals.

    Raises:
        DataError: The train rows are of one class only.
        UsageError: The solver did not converge.

    Source: Alain and Bengio 2016, arXiv 1610.01644, section 3.
    """
    return predict_logistic(
        params.probe_strengths,
        params.max_iter,
        {"frozen features": fit_scaler(train[0])},
        train=train,
        validation=validation,
        inputs=features,
        classes=classes,
    )


def fit_scaler(vectors: Vectors | Floats) -> Callable[[Vectors | Floats], Floats]:
    """Return the function that standardises vectors, (N, H), as those of train, in double precision."""
    scaler = StandardScaler().fit(vectors.astype(np.float64))
    return lambda others: np.asarray(scaler.transform(others.astype(np.float64)))


def predict_logistic(
    strengths: Sequence[float],
    max_iter: int,
    transforms: Mapping[str, Transform],
    *,
    train: tuple[Any, Ints],
    validation: tuple[Any, Ints],
    inputs: Any,
    classes: int,
) -> Fit:
    """Return the class probabilities of N `inputs` by logistic regression on what one of `transforms` makes of them.

    The model is fitted to `train`, with the transform and the strength that do best on `validation` by macro-F1: of
    equals the first transform, then the smallest strength. A class without train rows gets 0.

    Raises:
        DataError: The train rows are of one class only.
        UsageError: The solver did not converge.
    """
    _require_two_classes(train[1])
    choices: list[tuple[float, str, float, LogisticRegression]] = []
    for name, transform in transforms.items():
        known, tuned = transform(train[0]), transform(validation[0])
        for strength in sorted(set(strengths)):
            model = fit_logistic(strength, max_iter, known, train[1])
            predicted = spread_probabilities(model, tuned, classes).argmax(axis=1)
            score = macro_f1(confusion_matrix(validation[1], predicted, classes))
            choices.append((score, name, strength, model))
    score, name, strength, model = max(choices, key=lambda choice: choice[0])
    probabilities = spread_probabilities(model, transforms[name](inputs), classes)
    return Fit(name, strength, score, probabilities, transforms[name], model)


def _require_two_classes(train: Ints) -> None:
    """Require the train split to hold two classes at least."""
    classes = len(np.unique(train))
    if classes < 2:
        raise DataError(
            f"train split: {len(train)} rows of {classes} class(es), a classifier needs two. Add rows of the other "
            "classes, or change ingest.shares or ingest.salt."
        )


def fit_logistic(strength: float, max_iter: int, features: Features, labels: Ints) -> LogisticRegression:
    """Return a converged model: one that was cut short would make the baseline look weaker than it is."""
    # few steps over sparse rows: the same optimum as the default solver at a tenth of its time
    model = LogisticRegression(C=strength, max_iter=max_iter, solver="newton-cg")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # ConvergenceWarning is one, and so is a failed line search
        try:
            return model.fit(features, labels)
        except UserWarning as warning:
            raise UsageError(
                f"baseline.max_iter: logistic regression of strength {strength:g} did not converge in {max_iter} "
                f"iterations ({warning}). Raise baseline.max_iter, or remove this strength."
            ) from warning
