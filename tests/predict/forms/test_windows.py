import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calibration.decision import PLAIN
from pipeline.core.stage import load_facet
from pipeline.predict.forms.windows import answer_by_windows, average_rows
from pipeline.predict.logits import softmax
from pipeline.predict.questions import Prepared

ANSWERS = load_facet("text-classification", "answers")


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 99))
def test_the_mean_of_the_rows_of_each_text(counts, classes, seed):
    logits = np.random.default_rng(seed).normal(size=(sum(counts), classes)).astype(np.float32)
    parts = np.split(logits, np.cumsum(counts)[:-1])
    means = average_rows(logits, np.repeat(np.arange(len(counts)), counts))
    assert means == pytest.approx(np.array([part.mean(axis=0) for part in parts]), abs=1e-6)


def test_the_probabilities_of_a_text_are_those_of_its_mean():
    windowed = answer_by_windows(ANSWERS, 4)
    logits = np.array([[2, 0], [0, 1], [0, 3]], np.float32)
    outputs = windowed.join([*windowed.activate(logits)], Prepared(["long", "short"], [], [0, 0, 1], ()))
    assert outputs == pytest.approx(softmax(np.array([[1, 0.5], [0, 3]], np.float32)))
    assert windowed.join(np.zeros((0, 2)), Prepared([], [], [], ())).shape == (0, 2)


def test_windows_that_get_another_class_differ():
    windowed = answer_by_windows(ANSWERS, 4)
    both = [windowed.activate(np.array(rows, np.float32)) for rows in ([[2, 0], [0, 1]], [[3, 1], [1, 0]])]
    assert windowed.differ(*both, ("no", "yes"), PLAIN).tolist() == [False, True]
