from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score

from pipeline.tagging.schemes import name_tags
from pipeline.tagging.scores import compute_tag_metrics, count_tags, find_flawless, tabulate_types

CLASSES = name_tags(("PER", "LOC"), "bio")
PAIRS = st.lists(
    st.integers(1, 6).flatmap(
        lambda size: st.tuples(*[st.lists(st.sampled_from(CLASSES), min_size=size, max_size=size)] * 2)
    ),
    min_size=1,
    max_size=6,
)


def score(pairs: list[tuple[list[str], list[str]]], classes: tuple[str, ...] = CLASSES) -> Any:
    return count_tags([truth for truth, _ in pairs], [answer for _, answer in pairs], [None] * len(pairs), classes)


@given(PAIRS)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_metrics_are_those_of_seqeval_and_scikit_learn(pairs: list[tuple[list[str], list[str]]]) -> None:
    truths, answers = [truth for truth, _ in pairs], [answer for _, answer in pairs]
    scored = score(pairs)
    span_f1, accuracy, sentences = compute_tag_metrics(scored, np.ones(len(pairs)))
    assert accuracy == accuracy_score([*chain(*truths)], [*chain(*answers)])
    assert sentences == np.mean([truth == answer for truth, answer in pairs]) == find_flawless(scored).mean()
    if not scored.spans[:, 1:].sum():
        assert np.isnan(span_f1)
        return
    shared: Any = {"scheme": IOB2, "zero_division": 0}
    _, _, expected, _ = precision_recall_fscore_support(truths, answers, average="micro", **shared)
    assert span_f1 == pytest.approx(expected)
    values = precision_recall_fscore_support(truths, answers, average=None, **shared)
    rows = {row["label"]: row for row in tabulate_types(scored)}
    names = sorted({tag[2:] for tags in (*truths, *answers) for tag in tags if tag.startswith("B-")})
    for kind, precision, recall, f1, support in zip(names, *values, strict=True):
        row = rows[kind]
        assert (row["precision"] or 0, row["recall"] or 0, row["f1"] or 0, row["support"]) == pytest.approx(
            (precision, recall, f1, support)
        )


@given(PAIRS, st.data())
def test_weights_are_repetitions(pairs: list[tuple[list[str], list[str]]], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)).filter(any))
    repeated = [pair for pair, times in zip(pairs, weights, strict=True) for _ in range(times)]
    expected = compute_tag_metrics(score(repeated), np.ones(len(repeated)))
    actual = compute_tag_metrics(score(pairs), np.array(weights, np.float64))
    assert actual == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.tuples(*[st.sampled_from(["NOUN", "VERB"])] * 2), min_size=1))
def test_with_plain_tags_span_f1_is_the_accuracy(words: list[tuple[str, str]]) -> None:
    truth, answer = map(list, zip(*words, strict=True))
    span_f1, accuracy, _ = compute_tag_metrics(score([(truth, answer)], ("NOUN", "VERB")), np.ones(1))
    assert span_f1 == pytest.approx(accuracy)


def test_confidence_is_that_of_the_surest_wrong_word() -> None:
    scored = count_tags([["O", "O"], ["O"]], [["B-PER", "O"], ["O"]], [[0.7, 0.9], [0.8]], CLASSES)
    assert scored.confidence.tolist() == [0.7, 0.0]
