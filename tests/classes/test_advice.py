import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.classes.advice import (
    WIDEST_RECALL,
    describe_decision,
    find_vague_classes,
    frequent_errors,
    require_test_rows,
)
from pipeline.report.advice import advise
from tests.given.reporting import classes, decision, make_task


def test_confusions_are_the_largest_errors_in_order() -> None:
    matrix = [[8, 2, 0], [3, 5, 2], [0, 0, 0]]
    assert frequent_errors(["a", "b", "c"], matrix, most=2) == [("b", "a", 3, 0.3), ("a", "b", 2, 0.2)]
    assert frequent_errors(["a", "b"], [[1, 0], [0, 1]], most=5) == []


@pytest.mark.parametrize(
    ("right", "rows", "is_vague"),
    [(4, 5, True), (0, 0, True), (5, 5, True), (10, 20, True), (19, 20, False), (54, 55, False), (21, 43, False)],
)
def test_a_class_is_vague_if_the_interval_of_its_recall_is_wide(right: int, rows: int, *, is_vague: bool) -> None:
    task = make_task()
    task.evaluation["model"]["classes"] = classes(["a", "b"], [[100, 0], [rows - right, right]])
    assert [name for name, *_ in find_vague_classes(task.evaluation)] == ["b"] * is_vague
    assert ("Classes" in [advice.subject for advice in advise(task)]) == is_vague


@given(st.integers(0, 400), st.floats(0.5, 0.99))
def test_with_enough_test_rows_no_class_is_vague(more: int, confidence: float) -> None:
    rows = require_test_rows(confidence) + more
    for right in {0, rows // 2, rows}:
        table = classes(["a", "b"], [[1, 0], [rows - right, right]])[1:]
        assert find_vague_classes({"confidence": confidence, "model": {"classes": table}}) == []
    assert require_test_rows(0.95) == math.ceil((1.96 / WIDEST_RECALL) ** 2) == 43


def test_a_decision_has_a_sentence_for_each_of_its_rules() -> None:
    both = describe_decision(decision("a*b"), quote=lambda name: f"<{name}>")
    assert both.startswith("<a*b> is answered from a probability of 0.234 on")
    assert both.count(".") - both.count("0.") == 2
    only = decision("x") | {"favoured": None, "threshold": None, "precision": None, "recall": None}
    assert describe_decision(only) in both
