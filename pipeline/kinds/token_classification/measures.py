"""The measures of tags of words: an answer is the tag of each word of a sentence, with its probability."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, DataError
from pipeline.core.tables import describe, labels_of, task_of
from pipeline.evaluate.evaluation import MODEL
from pipeline.evaluate.kind import Details, Measured, Measures, Metric, Right
from pipeline.evaluate.projection import project_nothing
from pipeline.evaluate.slices import Slice, slice_by_columns, slice_by_length
from pipeline.examples.records import places_of
from pipeline.kinds.token_classification.baseline_names import TAG_BASELINES
from pipeline.kinds.token_classification.baselines import name_tags_of
from pipeline.kinds.token_classification.settings import TagEvaluateParams
from pipeline.settings.production import CalibrateParams
from pipeline.tagging.schemes import OUTSIDE_TAG, is_bio, list_types
from pipeline.tagging.scores import ScoredTags, compute_tag_metrics, count_tags, find_flawless, tabulate_types

TAG_METRICS = (
    Metric("span_f1", "span F1", 1, "share", undefined="no span is there and none is predicted"),
    Metric("tag_accuracy", "tag accuracy", 1, "share"),
    Metric("sentence_accuracy", "sentence accuracy", 1, "share"),
)
NEVER_SLICED = ("document",)


def title_metrics(labels: Sequence[str]) -> dict[str, str]:
    """Return what metrics are called with these tags: of plain ones each is a span, so span F1 is the accuracy."""
    return {} if is_bio(labels) else {"span_f1": "tag accuracy"}


def _predict(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the tags of the words of the examples, with their probabilities."""
    from pipeline.kinds.token_classification.prediction import predict_tags  # noqa: PLC0415  # torch, of use here only

    return predict_tags(model, examples, tokens)


def _tabulate(examples: pa.Table, answers: pa.Array | pa.ChunkedArray, _: Document) -> pa.Table:
    """Return one row a sentence: its id, document (its own id without one), tags, predicted tags and probabilities.

    Raises:
        DataError: An answer has another number of words, or a tag that is no class.
    """
    classes, values = labels_of(examples), answers.to_pylist()
    for answer, tags in zip(values, examples["tags"].to_pylist(), strict=True):
        if len(answer["tags"]) != len(tags) or not all(0 <= tag < len(classes) for tag in answer["tags"]):
            raise DataError(f"predictions: not of the words of these examples, or not of their tags. {REPRODUCE}")
    documents = zip(examples["id"].to_pylist(), examples["document"].to_pylist(), strict=True)
    columns = {
        "id": examples["id"],
        "document": pa.array([document or f"id {name}" for name, document in documents], pa.string()),
        "tags": examples["tags"],
        "predicted": pa.array([answer["tags"] for answer in values], pa.list_(pa.int64())),
        "probabilities": pa.array([answer["probabilities"] for answer in values], pa.list_(pa.float64())),
    }
    return describe(pa.table(columns), task=task_of(examples), labels=classes)


def _score(truths: pa.Table, answers: pa.Table, _: Any) -> ScoredTags:
    """Return the counts of each sentence; types that only the answers know come after those of the truths."""
    known, own = labels_of(truths), labels_of(answers)
    classes = (*known, *(label for label in own if label not in known))
    predicted = name_tags_of(answers, "predicted")
    return count_tags(name_tags_of(truths), predicted, answers["probabilities"].to_pylist(), classes)


def _slice(examples: pa.Table, params: TagEvaluateParams) -> list[Slice]:
    """Return the slices by words, then by each column, that are large enough."""
    texts = [" ".join(words) for words in examples["words"].to_pylist()]
    columns = slice_by_columns(examples, params.slices, never=NEVER_SLICED)
    parts = [*slice_by_length(texts, params.length_edges), *columns]
    return [part for part in parts if len(part.rows) >= params.min_slice_rows]


def _group(predictions: pa.Table) -> list[Slice]:
    """Return the sentences that hold each type of span, and those that hold none."""
    classes = labels_of(predictions)
    kinds = [{tag.partition("-")[2] if is_bio(classes) else tag for tag in tags} for tags in name_tags_of(predictions)]
    parts = [Slice("type", kind, _find(kinds, kind)) for kind in list_types(classes)]
    return [part for part in parts if len(part.rows)]


def _find(kinds: list[set[str]], kind: str) -> npt.NDArray[np.int64]:
    return np.array([row for row, own in enumerate(kinds) if kind in own], np.int64)


def list_worst_sentences(
    scored: ScoredTags, examples: pa.Table, predictions: pa.Table, params: TagEvaluateParams
) -> list[Document]:
    """Return the sentences with the errors the model was surest of, the surest first, with the tags of their words."""
    wrong = np.flatnonzero(~find_flawless(scored))
    order = wrong[np.argsort(-scored.confidence[wrong], kind="stable")][: params.worst]
    places, actual, predicted = places_of(examples), name_tags_of(predictions), name_tags_of(predictions, "predicted")
    return [
        {
            "line": places[row],
            "id": examples["id"][row].as_py(),
            "words": examples["words"][row].as_py(),
            "actual": actual[row],
            "predicted": predicted[row],
            "confidence": float(scored.confidence[row]),
        }
        for row in order.tolist()
    ]


def _detail(measured: Measured, predictions: pa.Table, _kept: Document, _params: Any) -> Details:
    """Return the types of span, and how often words of each are taken for another."""
    classes, scored = labels_of(predictions), measured.scored[MODEL]
    names = (OUTSIDE_TAG, *list_types(classes)) if is_bio(classes) else classes
    index = {name: at for at, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)), np.int64)
    for actual, predicted in zip(*pair_words(predictions), strict=True):
        matrix[index[actual], index[predicted]] += 1
    confusion = {"labels": list(names), "matrix": matrix.tolist()}
    counts = {"words": int(scored.words.sum()), "spans": int(scored.actual.sum())}
    return Details(model={"types": tabulate_types(scored), "confusion": confusion, **counts}, whole={})


def pair_words(predictions: pa.Table) -> tuple[list[str], list[str]]:
    """Return the type of each word of all sentences, and that predicted for it; `O` outside of spans."""
    bio = is_bio(labels_of(predictions))
    sides = (name_tags_of(predictions), name_tags_of(predictions, "predicted"))
    actual, predicted = ([tag[2:] or OUTSIDE_TAG if bio else tag for tags in side for tag in tags] for side in sides)
    return actual, predicted


def _calibrate(tokens: pa.Table, _model: Path, _params: CalibrateParams) -> Document:
    """Return the classes alone: the most probable tag of a word is its answer."""
    return {"labels": labels_of(tokens), "validation": None}


MEASURES = Measures(
    metrics=TAG_METRICS,
    baselines=TAG_BASELINES,
    predict=_predict,
    tabulate=_tabulate,
    score_rows=_score,
    compute=compute_tag_metrics,
    right=Right("sentence_accuracy", find_flawless, lambda scored: scored.confidence),
    truths=lambda table: [" ".join(tags) for tags in name_tags_of(table)],
    answers=lambda table: [" ".join(tags) for tags in name_tags_of(table, "predicted")],
    slices=_slice,
    groups=_group,
    worst=list_worst_sentences,
    variants=lambda _predictions, _kept: {},
    details=_detail,
    project=project_nothing,
    calibrate=_calibrate,
    unit="document",
    confused=pair_words,
    titles=title_metrics,
)
