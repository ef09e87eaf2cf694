"""The models fine-tuning has to beat: the largest class, and logistic regression on TF-IDF and on frozen features."""

import warnings
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.core.errors import DataError, UsageError
from pipeline.evaluate.metrics import Floats, Ints, confusion_matrix, macro_f1
from pipeline.settings.task import BaselineParams, ProbeParams

Features: TypeAlias = csr_matrix | Floats


def majority(train: Ints, *, classes: int, rows: int) -> Floats:
    """Return the class shares of the train split as the probabilities of each of `rows` rows, (rows, classes).

    `train` are class indices, at least one. The most probable class is the largest, the first of equals.
    """
    shares = np.bincount(train, minlength=classes) / len(train)
    return np.tile(shares, (rows, 1))


def tfidf(
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
    _require_classes(train[1])
    vectorizer = _vectorizer(params, train[0])
    return logistic(
        params.strengths,
        params.max_iter,
        train=(vectorizer.transform(train[0]), train[1]),
        validation=(vectorizer.transform(validation[0]), validation[1]),
        features=vectorizer.transform(texts),
        classes=classes,
    )


def probe(
    params: ProbeParams,
    *,
    train: tuple[Floats, Ints],
    validation: tuple[Floats, Ints],
    features: Floats,
    classes: int,
) -> Floats:
    """Return the class probabilities of N rows of `features` by a linear probe, (N, classes).

    That is logistic regression on what a frozen encoder gives, (N, H), each number standardised by its mean and
    deviation in `train`; `validation` chooses the strength. See `logistic`.

    Source: Alain and Bengio 2016, arXiv 1610.01644, section 3.
    """
    _require_classes(train[1])
    scaler = StandardScaler().fit(train[0])
    return logistic(
        params.probe_strengths,
        params.max_iter,
        train=(scaler.transform(train[0]), train[1]),
        validation=(scaler.transform(validation[0]), validation[1]),
        features=scaler.transform(features),
        classes=classes,
    )


def logistic(
    strengths: Sequence[float],
    max_iter: int,
    *,
    train: tuple[Features, Ints],
    validation: tuple[Features, Ints],
    features: Features,
    classes: int,
) -> Floats:
    """Return the class probabilities of N rows of `features` by logistic regression, (N, classes).

    It is fitted to `train` with the strength that does best on `validation` by macro-F1, the smaller of equals.

    Raises:
        DataError: The train rows are of one class only.
        UsageError: The solver did not converge.
    """
    _require_classes(train[1])
    best, best_score = None, -1.0
    for strength in sorted(set(strengths)):
        model = _fitted(strength, max_iter, *train)
        score = macro_f1(
            confusion_matrix(validation[1], _spread(model, validation[0], classes).argmax(axis=1), classes)
        )
        if score > best_score:
            best, best_score = model, score
    return _spread(best, features, classes)


def _require_classes(train: Ints) -> None:
    """Refuse a train split of less than two classes."""
    found = len(np.unique(train))
    if found < 2:
        raise DataError(
            f"the train split of {len(train)} rows holds {found} class(es), and a classifier needs two. "
            "Add rows of the other classes, or deal other splits with ingest.salt or ingest.shares."
        )


def _vectorizer(params: BaselineParams, texts: Sequence[str]) -> TfidfVectorizer:
    """Return the TF-IDF features of the train texts."""
    vectorizer = TfidfVectorizer(ngram_range=(1, params.ngrams), sublinear_tf=True, min_df=params.min_df)
    try:
        return vectorizer.fit(texts)
    except ValueError as error:
        raise DataError(
            f"no word of two letters or more is in at least baseline.min_df = {params.min_df} of the {len(texts)} "
            "train texts, so TF-IDF has no feature. Lower baseline.min_df (1 is the least), or add texts."
        ) from error


def _fitted(strength: float, max_iter: int, features: Features, labels: Ints) -> LogisticRegression:
    """Return a converged model: one that was cut short would make the baseline look weaker than it is."""
    # few steps over sparse rows: the same optimum as the default solver at a tenth of its time
    model = LogisticRegression(C=strength, max_iter=max_iter, solver="newton-cg")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # ConvergenceWarning is one, and so is a failed line search
        try:
            return model.fit(features, labels)
        except UserWarning as warning:
            raise UsageError(
                f"logistic regression with strength {strength:g} did not converge in baseline.max_iter = {max_iter} "
                f"iterations ({warning}). Raise baseline.max_iter, or try no such strength."
            ) from warning


def _spread(model: LogisticRegression, features: Features, classes: int) -> Floats:
    """Return the model's probabilities with a column for every class, 0 for those it never saw."""
    probabilities = np.zeros((features.shape[0], classes))
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities
