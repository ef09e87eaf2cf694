"""Questions as documents, and the answers that probabilities lead to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import ValidationError

from pipeline.answer.question import Question, list_answers
from pipeline.calibration.decision import PLAIN, Decision
from pipeline.classes.answers import to_answers
from pipeline.kinds.text_classification.answers import ANSWERS
from pipeline.predict.kind import list_scores

LABELS = ("a", "b", "c")
ROWS = arrays.arrays(np.float64, st.tuples(st.integers(0, 5), st.just(3)), elements=st.floats(0.01, 1)).map(
    lambda values: values / values.sum(axis=1, keepdims=True)
)


@given(rows=ROWS)
def test_the_plain_answer_is_the_most_probable_class_as_transformers_has_it(rows):
    answers = to_answers(rows, (), LABELS, PLAIN, True)
    scores, every = (list_scores(rows, (), LABELS, PLAIN, with_all) for with_all in (False, True))
    for row, answer, best, ranked in zip(rows, answers, scores, every, strict=True):
        assert answer["probability"] == best["score"] == row.max()
        assert (answer["label"], answer["unsure"]) == (best["label"], False)
        assert answer["probabilities"] == dict(zip(LABELS, row, strict=True))
        assert [score["score"] for score in ranked] == sorted(row, reverse=True)
        assert ranked[0] == best
    list_answers([ANSWERS])(model="m", version="v", answers=answers)


def test_a_decision_is_obeyed():
    rows = np.array([[0.5, 0.3, 0.2], [0.5, 0.1, 0.4]])
    answers = to_answers(rows, (), LABELS, Decision(0.6, "b", 0.3), False)
    assert answers == [
        {"label": "b", "probability": 0.3, "unsure": True}, {"label": "a", "probability": 0.5, "unsure": True},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {}, {"texts": []}, {"texts": None}, {"texts": 1}, {"texts": [1]}, {"texts": "a", "model": 1},
        {"rows": []}, {"rows": ["a"]}, {"rows": {"text": "a"}},
        {"texts": "a", "x": 1}, {"texts": "a", "all": "yes"}, {"texts": "a", "shape": "other"}, {"texts": {"a": "b"}},
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused(body):
    with pytest.raises(ValidationError):
        Question(**body)


def test_a_million_faults_are_one():
    with pytest.raises(ValidationError) as error:
        Question(texts=[1] * 1_000_000)
    assert error.value.error_count() <= 2
    with pytest.raises(ValidationError) as error:
        Question(rows=[1] * 1_000_000)
    assert error.value.error_count() <= 2
