"""Baselines of token classification: the most frequent tag of a word, and a conditional random field."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from pipeline.core.tables import labels_of
from pipeline.evaluate.align import select_split
from pipeline.evaluate.baselines import Baselines, FittedBaselines, ReadVectors
from pipeline.kinds.token_classification.baseline_names import TAG_BASELINES
from pipeline.kinds.token_classification.settings import TagBaselineParams
from pipeline.linear.crf import FIELD, Tagger, fit_field
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


def fit_frequent(train: Sentences, tags: Sentences) -> Callable[[Sequence[str]], list[str]]:
    """Return the function from words to the tag that each has most often in train; a new word gets the commonest.

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
    return lambda words: [best.get(word, other) for word in words]


def _fit(params: TagBaselineParams, examples: pa.Table, _vectors: ReadVectors) -> FittedBaselines:
    """Return both baselines; validation chooses the penalty of the field by span F1.

    Raises:
        DataError: A split is empty.
    """
    train, validation = (select_split(examples, split) for split in ("train", "validation"))
    known, held_out = (train["words"].to_pylist(), name_tags_of(train)), validation["words"].to_pylist()
    actual, best, choice = name_tags_of(validation), (-1.0, b""), ""
    for penalty in params.penalties:
        field = fit_field(*known, penalty=penalty, max_iter=params.max_iter)
        predicted = [*map(Tagger(field).tag, held_out)]
        scored = count_tags(actual, predicted, [None] * len(actual), labels_of(examples))
        score = float(np.nan_to_num(compute_tag_metrics(scored, np.ones(len(actual)))[0]))
        if score > best[0]:
            best, choice = (score, field), f"penalty {penalty:g}, span F1 {score:.4f} on validation"
    tags = {CRF: Tagger(best[1]).tag, "frequent": fit_frequent(*known)}
    indices = {name: index for index, name in enumerate(labels_of(examples))}

    def answer(rows: pa.Table, _vectors: ReadVectors) -> dict[str, pa.Array]:
        sentences = rows["words"].to_pylist()
        return {
            name: pa.array(
                [{"tags": [indices[own] for own in tag(words)], "probabilities": None} for words in sentences],
                TAG_ANSWER,
            )
            for name, tag in tags.items()
        }

    arrays = {FIELD: np.frombuffer(best[1], np.uint8)}
    saved = SavedLinear("token-classification", "tags", CRF, choice, decision=None, ngrams=(), arrays=arrays)
    return FittedBaselines(answer, [f"{CRF}: {choice}"], saved)


BASELINES = Baselines(fit=_fit, inspect=None)
