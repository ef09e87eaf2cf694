"""Scores equal those of SQuAD 2.0's procedure, written down here once more from its description."""

import math
import re
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reading.scores import compute_answer_metrics, score_answer, score_answers, simplify

PIECE = st.lists(st.sampled_from(["the", "A", "an", "Cat", "cat", "sat!", "—", ".", "on", "mat", "an,", "the-end"]))
SPAN_ANSWER = PIECE.map(" ".join)
QUESTIONS = st.lists(st.tuples(SPAN_ANSWER, st.lists(SPAN_ANSWER, max_size=3)), min_size=1, max_size=8)


def words(text: str) -> list[str]:
    kept = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def reference_f1(gold: str, given: str) -> float:
    left, right = words(gold), words(given)
    if not left or not right:
        return float(left == right)
    shared = sum(min(left.count(word), right.count(word)) for word in set(left))
    if not shared:
        return 0.0
    precision, recall = shared / len(right), shared / len(left)
    return 2 * precision * recall / (precision + recall)


@given(QUESTIONS)
def test_metrics_are_those_of_the_procedure(questions):
    golds = [[gold for gold in golds if " ".join(words(gold))] or [""] for _, golds in questions]
    exact = [
        max(float(words(gold) == words(given)) for gold in own)
        for (given, _), own in zip(questions, golds, strict=True)
    ]
    f1 = [max(reference_f1(gold, given) for gold in own) for (given, _), own in zip(questions, golds, strict=True)]
    has = [bool(own) for _, own in questions]
    scored = score_answers([given for given, _ in questions], [own for _, own in questions], [None] * len(questions))
    values = compute_answer_metrics(scored, np.ones(len(questions)))

    def mean(numbers: list[float], keep: list[bool]) -> float:
        kept = [number for number, wanted in zip(numbers, keep, strict=True) if wanted]
        return sum(kept) / len(kept) if kept else math.nan

    whole, none = [True] * len(has), [not wanted for wanted in has]
    wanted = [mean(f1, whole), mean(exact, whole), mean(f1, has), mean(exact, has), mean(f1, none)]
    assert values == pytest.approx(wanted, nan_ok=True)


def test_words_of_one_and_several_truths():
    assert simplify("The  Cat, an' a dog.") == "cat dog"
    assert score_answer("the cat sat", ["Cat"]) == (0.0, pytest.approx(2 / 3))
    assert score_answer("a cat", ["dog", "CAT!"]) == (1.0, 1.0)
    assert score_answer("", []) == (1.0, 1.0)
    assert score_answer("cat", []) == (0.0, 0.0)
