import numpy as np
import pytest

from pipeline.calibration.decision import PLAIN, Decision, decide

LABELS = ("a", "b", "c")
ROWS = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1]])


@pytest.mark.parametrize(
    ("decision", "labels", "unsure"),
    [
        (PLAIN, ["a", "c", "b"], [False, False, False]),
        (Decision(0.6, None, None), ["a", "c", "b"], [True, False, False]),
        (Decision(None, "b", 0.3), ["b", "c", "b"], [False, False, False]),
        (Decision(0.7, "b", 0.9), ["a", "c", "a"], [True, True, False]),
    ],
)
def test_a_class_that_matters_is_answered_from_its_threshold_on(decision, labels, unsure):
    answered, doubted = decide(ROWS, LABELS, decision)
    assert answered == labels
    assert doubted.tolist() == unsure


def test_no_rows_are_no_answers():
    answered, doubted = decide(np.zeros((0, 3)), LABELS, PLAIN)
    assert answered == []
    assert doubted.shape == (0,)
