"""The comparison of a file with what the model was tested on: one document of numbers, and no text."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.document import Document
from pipeline.evaluate.metrics import Ints, Vectors
from pipeline.kinds.text_classification.settings import TextEvaluateParams
from pipeline.predict.forms.windows import average_rows
from pipeline.predict.logits import ModelRows
from pipeline.predict.predictor import Predictor
from pipeline.settings.production import WatchParams
from pipeline.watch.distances import Distance
from pipeline.watch.domain import FOLDS, measure_domain
from pipeline.watch.judgement import WatchedNumber, judge_distances, measure_accuracy, measure_view
from pipeline.watch.labelled import FEWEST, compare_versions, estimate_quality
from pipeline.watch.view import Flags, View, compute_probabilities, view_texts


class LabelledTexts(NamedTuple):
    """Texts, or pairs, in their normal form, and the class index of each, (N,), -1 if it is not known."""

    texts: Sequence[Any]
    labels: Ints


class Domain(NamedTuple):
    """The texts of the train split, and what makes features of token ids."""

    texts: Sequence[Any]
    extract: Callable[[ModelRows], Vectors]


class Watched(NamedTuple):
    """The numbers of a file against their limits, and the document of all that was measured."""

    numbers: tuple[WatchedNumber, ...]
    document: Document


def compare_file(
    predictor: Predictor,
    reference: LabelledTexts,
    file: LabelledTexts,
    *,
    domain: Domain | None,
    old: Predictor | None,
    limits: WatchParams,
    evaluation: TextEvaluateParams,
) -> Watched:
    """Return the comparison of a file with the reference, the test split; `old` is the model of another revision."""
    views = [view_texts(predictor, side.texts) for side in (reference, file)]
    distances = measure_view(
        *views, abstains=bool(predictor.decision.abstain_below), seed=limits.seed
    )  # fmt: skip
    if domain is not None and min(len(domain.texts), len(file.texts)) >= 2 * FOLDS:
        distances["domain"] = _measure_domain(predictor, views[1], domain, evaluation.confidence, limits.seed)
    known = file.labels >= 0
    quality: Document | None = None
    if known.sum() >= FEWEST:
        sides = [(reference.labels, views[0].answers), (file.labels[known], views[1].answers[known])]
        distances["accuracy"] = measure_accuracy(*sides)
        quality = {
            "rows": int(known.sum()),
            "test": estimate_quality(reference.labels, views[0].probabilities, evaluation),
            "file": estimate_quality(file.labels[known], views[1].probabilities[known], evaluation),
        }
    numbers = tuple(judge_distances(distances, limits))
    document: Document = {
        "numbers": {item.name: describe_number(item) for item in numbers},
        "classes": _share_classes(predictor.labels, *views),
        "quality": quality,
        "against": None if old is None else _compare_models(old, file, views[1], known, evaluation),
    }
    return Watched(numbers, document)


def describe_number(number: WatchedNumber) -> Document:
    """Return a number as a JSON object."""
    return {
        **number.distance._asdict(),
        "adjusted": number.adjusted,
        "limit": number.limit,
        "passed": number.passed,
    }


def _measure_domain(predictor: Predictor, view: View, domain: Domain, confidence: float, seed: int) -> Distance:
    train, file = predictor.prepare(domain.texts), view.prepared
    vectors = domain.extract([*train.rows, *file.rows])
    sides = (vectors[: len(train.rows)], train.owners), (vectors[len(train.rows) :], file.owners)
    means = [average_rows(own, owners).astype(np.float32) for own, owners in sides]
    return measure_domain(*means, confidence=confidence, seed=seed)


def _share_classes(labels: Sequence[str], reference: View, file: View) -> Document:
    shares = [np.bincount(view.answers, minlength=len(labels)) / len(view.answers) for view in (reference, file)]
    return {label: {"test": float(shares[0][at]), "file": float(shares[1][at])} for at, label in enumerate(labels)}


def _compare_models(
    old: Predictor, file: LabelledTexts, view: View, known: Flags, params: TextEvaluateParams
) -> Document:
    """Return how often two models answer alike and, if there are labels, which one is better."""
    probabilities = compute_probabilities(old, old.prepare(file.texts))
    alike = float((probabilities.argmax(axis=1) == view.probabilities.argmax(axis=1)).mean())
    metrics = None
    if known.sum() >= FEWEST:
        metrics = compare_versions(file.labels[known], probabilities[known], view.probabilities[known], params)
    return {"version": old.version, "alike": alike, "metrics": metrics}
