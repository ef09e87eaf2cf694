"""Baselines, the models fine-tuning has to beat: the largest class, and logistic regression on TF-IDF or features."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.core.errors import DataError, UsageError
from pipeline.core.tables import class_indices, describe, labels_of, task_of
from pipeline.evaluate.align import select_split
from pipeline.evaluate.metrics import Floats, Ints, Vectors, confusion_matrix, macro_f1
from pipeline.settings.task import BaselineParams, ProbeParams

Features: TypeAlias = csr_matrix | Floats


def predict_baselines(params: BaselineParams, examples: pa.Table, features: Vectors) -> pa.Table:
    """Return the class probabilities of every row outside train by each baseline: id, split, and a column a baseline.

    All are fitted to the train split and tuned on validation. `features` (N, H) are the vectors of the N examples.

    Raises:
        DataError: A split is empty, train has one class only, or no n-gram is frequent enough.
        UsageError: The solver did not converge.
    """
    labels = labels_of(examples)
    train, validation = select_split(examples, "train"), select_split(examples, "validation")
    in_train, in_validation = (examples["split"].to_numpy() == split for split in ("train", "validation"))
    rows = examples.filter(pa.array(~in_train))
    known, tuned = class_indices(train), class_indices(validation)
    probabilities = {
        "majority": predict_majority(known, classes=len(labels), rows=rows.num_rows),
        "tfidf": predict_tfidf(
            params,
            train=(train["text"].to_pylist(), known),
            validation=(validation["text"].to_pylist(), tuned),
            texts=rows["text"].to_pylist(),
            classes=len(labels),
        ),
        "probe": predict_probe(
            params,
            train=(features[in_train], known),
            validation=(features[in_validation], tuned),
            features=features[~in_train],
            classes=len(labels),
        ),
    }
    columns = {name: pa.array(list(values), pa.list_(pa.float64())) for name, values in probabilities.items()}
    table = pa.table({"id": rows["id"], "split": rows["split"], **columns})
    return describe(table, task=task_of(examples), labels=labels)


def predict_majority(train: Ints, *, classes: int, rows: int) -> Floats:
    """Return the class shares of the train split as the probabilities of each of `rows` rows, (rows, classes).

    `train` are class indices, at least one. The most probable class is the largest, the first of equals.
    """
    shares = np.bincount(train, minlength=classes) / len(train)
    return np.tile(shares, (rows, 1))


def predict_tfidf(
    params: BaselineParams,
    *,
    train: tuple[Sequence[str], Ints],
    validation: tuple[Sequence[str], Ints],
    texts: Sequence[str],
    classes: int,
) -> Floats:
    """Return the class probabilities of `texts` by logistic regression on TF-IDF features, (N, classes).

    Vocabulary, weights and model come from the texts and class indices of `train` alone; `validation` chooses the
    strength with the best macro-F1, the smaller of equals. Features are word n-grams of 1 to `ngrams` words in at
    least `min_df` train texts, weighted (1 + ln tf) * idf, rows of length 1. A class without train rows gets 0.

    Raises:
        DataError: The train split has one class only, or no n-gram is frequent enough.
        UsageError: The solver did not converge.

    Source: Pedregosa et al. (2011), JMLR 12; https://scikit-learn.org/stable/modules/feature_extraction.html, section
    "Tf-idf term weighting".
    """
    _require_two_classes(train[1])
    return _predict_logistic(
        params.strengths,
        params.max_iter,
        _fit_vectorizer(params, train[0]).transform,
        train=train,
        validation=validation,
        inputs=texts,
        classes=classes,
    )


def predict_probe(
    params: ProbeParams,
    *,
    train: tuple[Floats, Ints],
    validation: tuple[Floats, Ints],
    features: Floats,
    classes: int,
) -> Floats:
    """Return the class probabilities of N rows of `features` by a linear probe, (N, classes).

    The probe is logistic regression on the vectors of a frozen encoder, (N, H), each number standardised by its mean
    and deviation in `train`; `validation` chooses the strength with the best macro-F1, the smaller of equals.

    Raises:
        DataError: The train rows are of one class only.
        UsageError: The solver did not converge.

    Source: Alain and Bengio 2016, arXiv 1610.01644, section 3.
    """
    _require_two_classes(train[1])
    return _predict_logistic(
        params.probe_strengths,
        params.max_iter,
        StandardScaler().fit(train[0]).transform,
        train=train,
        validation=validation,
        inputs=features,
        classes=classes,
    )


def _predict_logistic(
    strengths: Sequence[float],
    max_iter: int,
    transform: Callable[[Any], Features],
    *,
    train: tuple[Any, Ints],
    validation: tuple[Any, Ints],
    inputs: Any,
    classes: int,
) -> Floats:
    """Return the class probabilities of N `inputs` by logistic regression on what `transform` makes of them.

    The model is fitted to `train` with the strength that does best on `validation` by macro-F1, the smaller of equals.
    """
    known, tuned = transform(train[0]), transform(validation[0])
    best, best_score = None, -1.0
    for strength in sorted(set(strengths)):
        model = _fit_logistic(strength, max_iter, known, train[1])
        predicted = _all_probabilities(model, tuned, classes).argmax(axis=1)
        score = macro_f1(confusion_matrix(validation[1], predicted, classes))
        if score > best_score:
            best, best_score = model, score
    return _all_probabilities(best, transform(inputs), classes)


def _require_two_classes(train: Ints) -> None:
    """Require the train split to hold two classes at least."""
    classes = len(np.unique(train))
    if classes < 2:
        raise DataError(
            f"train split: {len(train)} rows of {classes} class(es), a classifier needs two. Add rows of the other "
            "classes, or change ingest.shares or ingest.salt."
        )


def _fit_vectorizer(params: BaselineParams, texts: Sequence[str]) -> TfidfVectorizer:
    """Return the vectorizer of the TF-IDF features of the train texts."""
    vectorizer = TfidfVectorizer(ngram_range=(1, params.ngrams), sublinear_tf=True, min_df=params.min_df)
    try:
        return vectorizer.fit(texts)
    except ValueError as error:
        raise DataError(
            f"baseline.min_df: no word of two letters or more is in {params.min_df} of {len(texts)} train texts, so "
            "TF-IDF has no feature. Lower baseline.min_df (1 is the least), or add texts."
        ) from error


def _fit_logistic(strength: float, max_iter: int, features: Features, labels: Ints) -> LogisticRegression:
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


def _all_probabilities(model: LogisticRegression, features: Features, classes: int) -> Floats:
    """Return the model's probabilities with a column for every class, 0 for those it never saw."""
    probabilities = np.zeros((features.shape[0], classes))
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities
