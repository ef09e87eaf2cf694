"""Baselines, the models fine-tuning has to beat: the largest class, and logistic regression on TF-IDF or features."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.core.document import Document
from pipeline.core.errors import DataError, UsageError
from pipeline.evaluate.metrics import Floats, Ints, Vectors, confusion_matrix, macro_f1
from pipeline.evaluate.ngrams import FittedNgrams, Ngrams, fit_weights
from pipeline.linear.estimators import spread_probabilities
from pipeline.linear.saved import SavedLinear
from pipeline.settings.task import BaselineParams, ProbeParams

Features: TypeAlias = csr_matrix | Floats
Transform = TypeVar("Transform", bound=Callable[[Any], Features])


Scaler: TypeAlias = Callable[[Vectors | Floats], Floats]
# The vectors of some examples, (N, H), read once they are asked for.
ReadVectors: TypeAlias = Callable[[], Vectors]


class FittedBaselines(NamedTuple):
    """The baselines of a task, fitted to train and tuned on validation.

    Args:
        answer: `answer(examples, vectors)` is what each says of some examples, a column a baseline. It is called for
            one piece after another, so no answer may depend on another row.
        choices: The choices made on validation, a line each.
        saved: The cheap one, ready to be saved; None if nobody could ask it.
    """

    answer: Callable[[pa.Table, ReadVectors], dict[str, pa.Array]]
    choices: Sequence[str]
    saved: SavedLinear | None


class Baselines(NamedTuple):
    """The models of one kind that a transformer has to beat, and the search for labels that they contradict.

    Args:
        fit: `fit(params, examples, vectors)` returns the baselines, fitted to the examples of train and tuned on those
            of validation.
        inspect: `inspect(params, examples, features, done)` are the suspicious examples, their summary and the list of
            them for people; None if the kind has no such search. `features` are the vectors of the examples, as
            `extract` wrote them.
    """

    fit: Callable[[Any, pa.Table, ReadVectors], FittedBaselines]
    inspect: Callable[[Any, pa.Table, pa.Table, Callable[[int], None]], tuple[Document, list[Document]]] | None


class Fit(NamedTuple, Generic[Transform]):
    """A fitted baseline of `classes` classes: the features and strength that did best on validation, and that macro-F1.

    `transform` makes the features of inputs like those that it was fitted to, and `model` the probabilities of them.
    """

    features: str
    strength: float
    macro_f1: float
    transform: Transform
    model: LogisticRegression
    classes: int

    def describe(self) -> str:
        """Return the choice as one line."""
        return f"{self.features}, strength {self.strength:g}, macro-F1 {self.macro_f1:.4f} on validation"

    def predict(self, inputs: Any) -> Floats:
        """Return the class probabilities of N inputs, (N, classes); a class without train rows gets 0."""
        return spread_probabilities(self.model, self.transform(inputs), self.classes)


def predict_majority(train: Ints, *, classes: int, rows: int) -> Floats:
    """Return the class shares of the train split as the probabilities of each of `rows` rows, (rows, classes).

    `train` are class indices, at least one. The most probable class is the largest, the first of equals.
    """
    shares = np.bincount(train, minlength=classes) / len(train)
    return np.tile(shares, (rows, 1))


def fit_tfidf(
    params: BaselineParams, ngrams: Ngrams, *, train: tuple[Ints, Ints], validation: tuple[Ints, Ints], classes: int
) -> Fit[FittedNgrams]:
    """Return logistic regression on the TF-IDF features of rows of `ngrams`.

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
    weights = fit_weights(params, ngrams, train[0])
    return choose_logistic(
        params.strengths, params.max_iter, weights, train=train, validation=validation, classes=classes
    )


def fit_probe(
    params: ProbeParams, *, train: tuple[Vectors, Ints], validation: tuple[Vectors, Ints], classes: int
) -> Fit[Scaler]:
    """Return a linear probe: logistic regression on the vectors of a frozen encoder, (N, H), in double precision.

    Each number is standardised by its mean and deviation in `train`; `validation` chooses the strength with the best
    macro-F1, the smaller of equals.

    Raises:
        DataError: The train rows are of one class only.
        UsageError: The solver did not converge.

    Source: Alain and Bengio 2016, arXiv 1610.01644, section 3.
    """
    scale = {"frozen features": fit_scaler(train[0])}
    return choose_logistic(
        params.probe_strengths, params.max_iter, scale, train=train, validation=validation, classes=classes
    )


def fit_scaler(vectors: Vectors | Floats) -> Scaler:
    """Return the function that standardises vectors, (N, H), as those of train, in double precision."""
    scaler = StandardScaler().fit(vectors.astype(np.float64))
    return lambda others: np.asarray(scaler.transform(others.astype(np.float64)))


def choose_logistic(
    strengths: Sequence[float],
    max_iter: int,
    transforms: Mapping[str, Transform],
    *,
    train: tuple[Any, Ints],
    validation: tuple[Any, Ints],
    classes: int,
) -> Fit[Transform]:
    """Return logistic regression on what one of `transforms` makes of inputs, fitted to `train`.

    The transform and the strength are those that do best on `validation` by macro-F1: of equals the first transform,
    then the smallest strength.

    Raises:
        DataError: The train rows are of one class only.
        UsageError: The solver did not converge.
    """
    _require_two_classes(train[1])
    choices: list[Fit[Transform]] = []
    for name, transform in transforms.items():
        known, tuned = transform(train[0]), transform(validation[0])
        for strength in sorted(set(strengths)):
            model = fit_logistic(strength, max_iter, known, train[1])
            predicted = spread_probabilities(model, tuned, classes).argmax(axis=1)
            score = macro_f1(confusion_matrix(validation[1], predicted, classes))
            choices.append(Fit(name, strength, score, transform, model, classes))
    return max(choices, key=lambda choice: choice.macro_f1)


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
