import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st

from pipeline.classes.measures import METRICS, compute_class_metrics
from pipeline.core.errors import DataError
from pipeline.evaluate.kind import select_rows
from pipeline.evaluate.metrics import (
    Floats,
    Ints,
    calibration,
    class_table,
    confusion_matrix,
    macro_f1,
    score_predictions,
)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Ints, Floats]:
    """Classes and probabilities, some of them certain, tied or of classes that never occur."""
    rows, classes = draw(st.integers(1, 60)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    sharpness = draw(st.sampled_from([0.05, 1.0, 20.0]))
    probabilities = rng.dirichlet(np.full(classes, sharpness), rows)
    return rng.integers(draw(st.integers(1, classes)), size=rows), probabilities / probabilities.sum(1, keepdims=True)


def named(actual: Ints, probabilities: Floats, bins: int = 10) -> dict[str, float]:
    values = compute_class_metrics(score_predictions(actual, probabilities, bins=bins), np.ones(len(actual)))
    return dict(zip((metric.name for metric in METRICS), values.tolist(), strict=True))


@given(predictions())
def test_agrees_with_scikit_learn(case: tuple[Ints, Floats]) -> None:
    actual, probabilities = case
    classes = list(range(probabilities.shape[1]))
    predicted = probabilities.argmax(1)
    found = named(actual, probabilities)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(actual, predicted))
    if len(set(actual)) > 1:
        assert found["macro_f1"] == pytest.approx(reference.f1_score(actual, predicted, average="macro"))
    else:
        assert math.isnan(found["macro_f1"])
    assert found["log_loss"] == pytest.approx(reference.log_loss(actual, probabilities, labels=classes), abs=1e-12)
    scale = {"labels": classes, "scale_by_half": False}
    assert found["brier"] == pytest.approx(reference.brier_score_loss(actual, probabilities, **scale))
    matrix = confusion_matrix(actual, predicted, len(classes))
    assert (matrix == reference.confusion_matrix(actual, predicted, labels=classes)).all()


@given(predictions())
def test_class_table_agrees_with_scikit_learn(case: tuple[Ints, Floats]) -> None:
    actual, probabilities = case
    predicted, classes = probabilities.argmax(1), list(range(probabilities.shape[1]))
    table = class_table(confusion_matrix(actual, predicted, len(classes)), [str(one) for one in classes])
    measures = reference.precision_recall_fscore_support(actual, predicted, labels=classes, zero_division=math.nan)
    for row, *wanted in zip(table, *measures, strict=True):
        found = [row[name] for name in ("precision", "recall", "f1", "support")]
        assert [math.nan if one is None else one for one in found] == pytest.approx(wanted, nan_ok=True)
        assert (row["reason"] is None) == (None not in found)


@given(predictions(), st.integers(2, 20))
def test_calibration_error_is_what_its_bins_say(case: tuple[Ints, Floats], bins: int) -> None:
    actual, probabilities = case
    table: list[Any] = calibration(score_predictions(actual, probabilities, bins=bins), bins=bins)
    gaps = [one["count"] * abs(one["confidence"] - one["accuracy"]) for one in table if one["count"]]
    assert named(actual, probabilities, bins)["ece"] == pytest.approx(sum(gaps) / len(actual))
    assert sum(one["count"] for one in table) == len(actual)
    assert all(one["low"] < one["confidence"] <= one["high"] + 1e-12 for one in table if one["count"])
    assert all(one["confidence"] is None and one["accuracy"] is None for one in table if not one["count"])


@given(predictions(), st.randoms(use_true_random=False))
def test_weights_are_repetitions(case: tuple[Ints, Floats], random: Any) -> None:
    actual, probabilities = case
    counts = np.array([random.randint(0, 3) for _ in actual])
    counts[0] = 1
    whole = score_predictions(actual, probabilities, bins=7)
    repeated = select_rows(whole, np.repeat(np.arange(len(actual)), counts))
    wanted = compute_class_metrics(repeated, np.ones(counts.sum()))
    found = compute_class_metrics(whole, counts.astype(float))
    assert found == pytest.approx(np.where(np.isnan(wanted), found, wanted), nan_ok=True)  # one class, by the weights


@given(predictions(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(case: tuple[Ints, Floats], random: Any) -> None:
    actual, probabilities = case
    order = np.array(random.sample(range(len(actual)), len(actual)))
    assert named(actual[order], probabilities[order]) == pytest.approx(named(actual, probabilities), nan_ok=True)


def test_by_hand() -> None:
    actual = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.5, 0.5]])  # right, wrong, right, tie: the first
    found = named(actual, probabilities, bins=2)
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((2 * 1 / 4 + 2 * 1 / 4) / 2)
    assert found["log_loss"] == pytest.approx(-math.log(0.9 * 0.4 * 0.8 * 0.5) / 4)
    assert found["brier"] == pytest.approx(2 * (0.01 + 0.36 + 0.04 + 0.25) / 4)
    # bin (0, 0.5]: confidence 0.5, wrong; bin (0.5, 1]: mean confidence 2.3 / 3, 2 of 3 right
    assert found["ece"] == pytest.approx((0.5 + 0.3) / 4)


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    for tenths in range(6, 10):
        one = np.array([[tenths / 10, 1 - tenths / 10]])
        table = calibration(score_predictions(np.array([0]), one, bins=10), bins=10)
        assert [row["count"] for row in table].index(1) == tenths - 1


def test_a_certain_error_costs_a_finite_loss() -> None:
    found = named(np.array([1, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert found["log_loss"] == pytest.approx(52 * math.log(2) / 2)
    assert found["brier"] == 1.0
    assert math.copysign(1, named(np.array([0]), np.array([[1.0, 0.0]]))["log_loss"]) == 1  # 0.0, not -0.0


def test_classes_that_neither_occur_nor_are_predicted_do_not_count() -> None:
    assert macro_f1(np.array([[3, 0, 0], [0, 2, 0], [0, 0, 0]])) == 1.0
    assert macro_f1(np.array([[3, 0, 0], [0, 2, 0], [1, 0, 0]])) < 1.0


@pytest.mark.parametrize("row", [[math.nan, 1.0], [0.5, 0.6], [1.5, -0.5], [math.inf, 0.0]])
def test_refuses_what_is_no_distribution(row: list[float]) -> None:
    with pytest.raises(DataError, match=r"1 of 2 rows .*\(rows from 0: 1\).*learning_rate"):
        score_predictions(np.array([0, 0]), np.array([[0.5, 0.5], row]), bins=10)


def test_refuses_no_rows() -> None:
    with pytest.raises(DataError, match="no row"):
        score_predictions(np.zeros(0, np.int64), np.zeros((0, 2)), bins=10)
