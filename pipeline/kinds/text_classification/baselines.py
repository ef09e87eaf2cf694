"""Baselines of text classification: the largest class, and linear models on n-grams and on frozen features."""

from collections.abc import Callable

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.tables import class_indices, labels_of
from pipeline.evaluate.align import align, to_vectors
from pipeline.evaluate.baselines import Baselines, Fit, predict_baselines
from pipeline.evaluate.metrics import Vectors
from pipeline.evaluate.ngrams import FittedNgrams
from pipeline.examples.pairs import second_texts, whole_texts
from pipeline.inspection.search import Labelled, find_suspects
from pipeline.inspection.table import summarize_suspects, tabulate_suspects
from pipeline.kinds.text_classification.baseline_names import TEXT_BASELINES
from pipeline.linear.estimators import keep_logistic
from pipeline.linear.saved import SavedLinear
from pipeline.settings.task import BaselineParams, InspectParams


def _take_vectors(examples: pa.Table, features: pa.Table) -> Vectors:
    aligned = align(features, examples["id"].to_pylist(), like=examples, what="features", split=None)
    return to_vectors(aligned["features"])


def _predict(
    params: BaselineParams, examples: pa.Table, features: pa.Table
) -> tuple[pa.Table, list[str], SavedLinear | None]:
    name = TEXT_BASELINES.cheap.name
    table, lines, fits = predict_baselines(params, examples, _take_vectors(examples, features))
    return table, lines, _keep(name, fits[name], classes=len(labels_of(examples)))


def _keep(name: str, fit: Fit, *, classes: int) -> SavedLinear | None:
    """Return a fit of n-grams as it is kept; of another None."""
    if not isinstance(fit.transform, FittedNgrams):
        return None
    return SavedLinear(
        kind="text-classification",
        form="classes",
        name=name,
        choice=fit.describe(),
        decision=None,
        ngrams=fit.transform.list_weights(),
        arrays=keep_logistic(fit.model, classes),
        pairs=fit.transform.ngrams.seconds is not None,
    )


def _inspect(
    params: InspectParams, examples: pa.Table, features: pa.Table, done: Callable[[int], None]
) -> tuple[Document, list[Document]]:
    ids, classes = examples["id"].to_pylist(), class_indices(examples)
    seconds = second_texts(examples)
    pairs = None if seconds is None else (examples["text"].to_pylist(), seconds)
    labelled = Labelled(ids, whole_texts(examples), classes, _take_vectors(examples, features), pairs)
    ranked, probabilities = find_suspects(params, labelled, classes=len(labels_of(examples)), done=done)
    return summarize_suspects(ranked, classes, probabilities), tabulate_suspects(ranked[: params.most], examples)


BASELINES = Baselines(predict=_predict, inspect=_inspect)
