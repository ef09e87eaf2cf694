"""Baselines of token classification: the most frequent tag of a word, and a conditional random field."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.tables import describe, labels_of, task_of
from pipeline.evaluate.align import select_split
from pipeline.evaluate.baselines import Baselines
from pipeline.kinds.token_classification.baseline_names import TAG_BASELINES
from pipeline.kinds.token_classification.settings import TagBaselineParams
from pipeline.linear.crf import FIELD, predict_field
from pipeline.linear.saved import SavedLinear
from pipeline.tagging.scores import compute_tag_metrics, count_tags

# What a model says of a sentence: the index of the tag of each word, and its probability if that is known.
TAG_ANSWER = pa.struct({"tags": pa.list_(pa.int64()), "probabilities": pa.list_(pa.float64())})
Sentences = Sequence[Sequence[str]]
CRF = TAG_BASELINES.cheap.name


def name_tags_of(examples: pa.Table, column: str = "tags") -> list[list[str]]:
    """Return the names of the tags of each row."""
    classes = labels_of(examples)
    return [[classes[tag] for tag in tags] for tags in examples[column].to_pylist()]


def predict_frequent(train: Sentences, tags: Sentences, sentences: Sentences) -> list[list[str]]:
    """Return for each word the tag that it has most often in train; for a new word the commonest tag of all.

    Case is told apart. Of equally frequent tags the first in the alphabet counts.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    whole = Counter[str]()
    for words, own in zip(train, tags, strict=True):
        whole.update(own)
        for word, tag in zip(words, own, strict=True):
            counts[word][tag] += 1

    def choose(counter: Counter[str]) -> str:
        return min(counter, key=lambda tag: (-counter[tag], tag))

    best, other = {word: choose(counter) for word, counter in counts.items()}, choose(whole)
    return [[best.get(word, other) for word in words] for words in sentences]


def _predict(
    params: TagBaselineParams, examples: pa.Table, _features: pa.Table
) -> tuple[pa.Table, list[str], SavedLinear]:
    """Return what both say of the rows outside train; validation chooses the penalty of the field by span F1.

    Raises:
        DataError: A split is empty.
    """
    train, validation = (select_split(examples, split) for split in ("train", "validation"))
    rows = examples.filter(pc.not_equal(examples["split"], "train"))
    known = train["words"].to_pylist(), name_tags_of(train)
    sentences, held_out = rows["words"].to_pylist(), np.flatnonzero(rows["split"].to_numpy() == "validation")
    actual, best, choice = name_tags_of(validation), (-1.0, list[list[str]](), b""), ""
    for penalty in params.penalties:
        tags, field = predict_field(known, sentences, penalty=penalty, max_iter=params.max_iter)
        predicted = [tags[row] for row in held_out]
        scored = count_tags(actual, predicted, [None] * len(actual), labels_of(examples))
        score = float(np.nan_to_num(compute_tag_metrics(scored, np.ones(len(actual)))[0]))
        if score > best[0]:
            best, choice = (score, tags, field), f"penalty {penalty:g}, span F1 {score:.4f} on validation"
    answers = {CRF: best[1], "frequent": predict_frequent(*known, sentences)}
    indices = {name: index for index, name in enumerate(labels_of(examples))}
    columns = {
        name: pa.array([{"tags": [indices[tag] for tag in own], "probabilities": None} for own in tags], TAG_ANSWER)
        for name, tags in answers.items()
    }
    table = pa.table({"id": rows["id"], "split": rows["split"], **columns})
    arrays = {FIELD: np.frombuffer(best[2], np.uint8)}
    saved = SavedLinear("token-classification", "tags", CRF, choice, decision=None, ngrams=(), arrays=arrays)
    return describe(table, task=task_of(examples), labels=labels_of(examples)), [f"{CRF}: {choice}"], saved


BASELINES = Baselines(predict=_predict, inspect=None)
