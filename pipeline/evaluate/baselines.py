"""Baselines, the models fine-tuning has to beat: the largest class, and logistic regression on TF-IDF or features."""

import contextlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.core.errors import DataError, UsageError
from pipeline.core.tables import class_indices, describe, labels_of, task_of
from pipeline.evaluate.align import select_split
from pipeline.evaluate.metrics import Floats, Ints, Vectors, confusion_matrix, macro_f1
from pipeline.examples.words import word_pattern
from pipeline.settings.task import BaselineParams, ProbeParams

Features: TypeAlias = csr_matrix | Floats
Transform: TypeAlias = Callable[[Any], Features]


class Fit(NamedTuple):
    """A fitted baseline: the features and strength that did best on validation, that macro-F1, and probabilities."""

    features: str
    strength: float
    macro_f1: float
    probabilities: Floats

    def describe(self) -> str:
        """Return the choice as one line."""
        return f"{self.features}, strength {self.strength:g}, macro-F1 {self.macro_f1:.4f} on validation"


def predict_baselines(params: BaselineParams, examples: pa.Table, features: Vectors) -> tuple[pa.Table, list[str]]:
    """Return the class probabilities of every row outside train by each baseline, and the choices made for them.

    The table has id, split, and a column for each baseline. All are fitted to the train split and tuned on validation.
    `features` (N, H) are the vectors of the N examples.

    Raises:
        DataError: A split is empty, train has one class only, or no n-gram is frequent enough.
        UsageError: The solver did not converge.
    """
    labels = labels_of(examples)
    train, validation = select_split(examples, "train"), select_split(examples, "validation")
    in_train, in_validation = (examples["split"].to_numpy() == split for split in ("train", "validation"))
    rows = examples.filter(pa.array(~in_train))
    known, tuned = class_indices(train), class_indices(validation)
    fits = {
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
    probabilities = {"majority": predict_majority(known, classes=len(labels), rows=rows.num_rows)}
    probabilities |= {name: fit.probabilities for name, fit in fits.items()}
    columns = {name: pa.array(list(values), pa.list_(pa.float64())) for name, values in probabilities.items()}
    table = pa.table({"id": rows["id"], "split": rows["split"], **columns})
    lines = [f"{name}: {fit.describe()}" for name, fit in fits.items()]
    return describe(table, task=task_of(examples), labels=labels), lines


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
) -> Fit:
    """Return the class probabilities of `texts` by logistic regression on TF-IDF features, (N, classes).

    Vocabulary, weights and model come from the texts and class indices of `train` alone; `validation` chooses features
    and strength with the best macro-F1, the first of equals. Features are n-grams of 1 to `ngrams` words, alone or
    beside those of 1 to `characters` characters, in at least `min_df` train texts; each kind is weighted (1 + ln tf)
    * idf, its rows of length 1. Characters are a fair rival where words are not told by blanks, or have many endings. A
    class without train rows gets 0.

    Raises:
        DataError: The train split has one class only, or no n-gram is frequent enough.
        UsageError: The solver did not converge.

    Source: Pedregosa et al. (2011), JMLR 12; https://scikit-learn.org/stable/modules/feature_extraction.html, section
    "Tf-idf term weighting". Cavnar and Trenkle (1994), N-gram-based text categorization.
    """
    _require_two_classes(train[1])
    return _predict_logistic(
        params.strengths,
        params.max_iter,
        _fit_vectorizers(params, train[0]),
        train=train,
        validation=validation,
        inputs=texts,
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
    _require_two_classes(train[1])
    return _predict_logistic(
        params.probe_strengths,
        params.max_iter,
        {"frozen features": _fit_scaler(train[0])},
        train=train,
        validation=validation,
        inputs=features,
        classes=classes,
    )


def _fit_scaler(vectors: Vectors) -> Callable[[Vectors], Floats]:
    """Return the function that standardises vectors, (N, H), as those of train, in double precision."""
    scaler = StandardScaler().fit(vectors.astype(np.float64))
    return lambda others: np.asarray(scaler.transform(others.astype(np.float64)))


def _predict_logistic(
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
    equals the first transform, then the smallest strength.
    """
    best: Fit | None = None
    for name, transform in transforms.items():
        known, tuned = transform(train[0]), transform(validation[0])
        for strength in sorted(set(strengths)):
            model = _fit_logistic(strength, max_iter, known, train[1])
            predicted = _all_probabilities(model, tuned, classes).argmax(axis=1)
            score = macro_f1(confusion_matrix(validation[1], predicted, classes))
            if best is None or score > best.macro_f1:
                best = Fit(name, strength, score, _all_probabilities(model, transform(inputs), classes))
    if best is None:
        raise ValueError("no transform or no strength")
    return best


def _require_two_classes(train: Ints) -> None:
    """Require the train split to hold two classes at least."""
    classes = len(np.unique(train))
    if classes < 2:
        raise DataError(
            f"train split: {len(train)} rows of {classes} class(es), a classifier needs two. Add rows of the other "
            "classes, or change ingest.shares or ingest.salt."
        )


def _fit_vectorizers(params: BaselineParams, texts: Sequence[str]) -> dict[str, Transform]:
    """Return the transforms of texts to TF-IDF features of the train texts: words, and words beside characters.

    Raises:
        DataError: No n-gram is frequent enough.
    """
    how = {"sublinear_tf": True, "min_df": params.min_df}
    kinds = {"words": TfidfVectorizer(ngram_range=(1, params.ngrams), token_pattern=word_pattern(), **how)}
    if params.characters:
        kinds["characters"] = TfidfVectorizer(ngram_range=(1, params.characters), analyzer="char_wb", **how)
    fitted: dict[str, Transform] = {}
    for name, vectorizer in kinds.items():
        with contextlib.suppress(ValueError):  # no n-gram of this kind is frequent enough
            fitted[name] = vectorizer.fit(texts).transform
    if not fitted:
        raise DataError(
            f"baseline.min_df: no {' and no '.join(kinds)} in {params.min_df} of {len(texts)} train texts, so TF-IDF "
            "has no feature. Lower baseline.min_df (1 is the least), or add texts."
        )
    if len(fitted) < 2:
        return fitted
    words, characters = fitted.values()
    both: Transform = lambda inputs: hstack([words(inputs), characters(inputs)]).tocsr()  # noqa: E731
    return {"words": words, "words and characters": both}


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
