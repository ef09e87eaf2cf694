"""Baselines of text classification: the largest class, and linear models on n-grams and on frozen features."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.tables import class_indices, labels_of
from pipeline.evaluate.align import align, select_split, to_vectors
from pipeline.evaluate.baselines import (
    Baselines,
    Fit,
    FittedBaselines,
    ReadVectors,
    fit_probe,
    fit_tfidf,
    predict_majority,
)
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.evaluate.ngrams import FittedNgrams, Ngrams, ReadTexts, count_ngrams
from pipeline.examples.pairs import read_seconds, read_texts, second_texts, whole_texts
from pipeline.inspection.search import Labelled, find_suspects
from pipeline.inspection.table import summarize_suspects, tabulate_suspects
from pipeline.kinds.text_classification.baseline_names import TEXT_BASELINES
from pipeline.linear.estimators import keep_logistic, spread_probabilities
from pipeline.linear.saved import SavedLinear
from pipeline.settings.task import BaselineParams, InspectParams


def _fit(params: BaselineParams, examples: pa.Table, vectors: ReadVectors) -> FittedBaselines:
    """Return the baselines of classes; those of pairs have one more, which reads the second text alone.

    What that one gets right says nothing of the pair.

    Raises:
        DataError: A split is empty, train has one class only, or no n-gram is frequent enough.
        UsageError: The solver did not converge.

    Source: Poliak et al. (2018), Hypothesis only baselines in natural language inference, arXiv 1805.01042.
    """
    labels, texts, seconds = labels_of(examples), examples["text"].to_pylist(), second_texts(examples)
    train, validation = (_list_rows(examples, split) for split in ("train", "validation"))
    ngrams = count_ngrams(params, texts, seconds)
    parts: Any = {"train": train, "validation": validation, "classes": len(labels)}
    tfidf = fit_tfidf(params, ngrams, **parts)
    second = fit_tfidf(params, Ngrams(ngrams.seconds, ngrams.terms), **parts) if ngrams.seconds else None
    own = vectors()
    known, tuned = ((own[places], classes) for places, classes in (train, validation))
    probe = fit_probe(params, train=known, validation=tuned, classes=len(labels))
    ask_tfidf, ask_second = (
        _open(tfidf),
        None if second is None else _open(second, read_seconds),
    )

    def answer(rows: pa.Table, vectors: ReadVectors) -> dict[str, pa.Array]:
        probabilities = {
            "majority": predict_majority(train[1], classes=len(labels), rows=rows.num_rows),
            "tfidf": ask_tfidf(rows),
            "probe": probe.predict(vectors()),
            **({} if ask_second is None else {"second": ask_second(rows)}),
        }
        return {name: pa.array(list(values), pa.list_(pa.float64())) for name, values in probabilities.items()}

    fits: dict[str, Fit[Any]] = {"tfidf": tfidf, "probe": probe, **({} if second is None else {"second": second})}
    lines = [f"{name}: {fit.describe()}" for name, fit in fits.items()]
    return FittedBaselines(answer, lines, _keep(TEXT_BASELINES.cheap.name, tfidf))


def _list_rows(examples: pa.Table, split: str) -> tuple[Ints, Ints]:
    """Return the positions of the rows of a split, and their classes."""
    classes = class_indices(select_split(examples, split))
    return np.flatnonzero(examples["split"].to_numpy() == split), classes


def _open(fit: Fit[FittedNgrams], read: ReadTexts = read_texts) -> Callable[[pa.Table], Floats]:
    """Return the function from examples to their probabilities; it holds no counts."""
    featurize, model, classes = fit.transform.open(read), fit.model, fit.classes
    return lambda rows: spread_probabilities(model, featurize(rows), classes)


def _keep(name: str, fit: Fit[FittedNgrams]) -> SavedLinear:
    return SavedLinear(
        kind="text-classification",
        form="classes",
        name=name,
        choice=fit.describe(),
        decision=None,
        ngrams=fit.transform.list_weights(),
        arrays=keep_logistic(fit.model, fit.classes),
        pairs=fit.transform.ngrams.seconds is not None,
    )


def _inspect(
    params: InspectParams, examples: pa.Table, features: pa.Table, done: Callable[[int], None]
) -> tuple[Document, list[Document]]:
    ids, classes = examples["id"].to_pylist(), class_indices(examples)
    vectors = to_vectors(align(features, ids, like=examples, what="features", split=None)["features"])
    seconds = second_texts(examples)
    pairs = None if seconds is None else (examples["text"].to_pylist(), seconds)
    labelled = Labelled(ids, whole_texts(examples), classes, vectors, pairs)
    ranked, probabilities = find_suspects(params, labelled, classes=len(labels_of(examples)), done=done)
    return summarize_suspects(ranked, classes, probabilities), tabulate_suspects(ranked[: params.most], examples)


BASELINES = Baselines(fit=_fit, inspect=_inspect)
