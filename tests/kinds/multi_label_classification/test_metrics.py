"""Metrics of label sets against scikit-learn's, weighted and not."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, f1_score

from pipeline.core.errors import DataError
from pipeline.core.tables import describe
from pipeline.kinds.multi_label_classification.metrics import (
    apply_thresholds,
    choose_threshold,
    choose_thresholds,
    compute_average_precisions,
    compute_set_metrics,
    score_label_sets,
    to_indicators,
    to_lists,
)


@st.composite
def predicted_sets(draw):
    rows, classes = draw(st.integers(1, 12)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    actual = rng.random((rows, classes)) < draw(st.sampled_from([0.0, 0.2, 0.5, 1.0]))
    probabilities = rng.integers(0, 6, (rows, classes)) / 5  # with ties
    return actual, probabilities, probabilities >= 0.5, rng.integers(1, 4, rows).astype(np.float64)


@given(predicted_sets())
def test_the_metrics_are_those_of_scikit_learn(sets):
    actual, probabilities, predicted, weights = sets
    micro, macro, precision, exact = compute_set_metrics(score_label_sets(actual, probabilities, predicted), weights)
    assert exact == pytest.approx(accuracy_score(actual, predicted, sample_weight=weights))
    seen = actual.any(axis=0) | predicted.any(axis=0)
    if not seen.any():
        assert np.isnan([micro, macro, precision]).all()
        return
    given = {"sample_weight": weights, "zero_division": 0}
    assert micro == pytest.approx(f1_score(actual, predicted, average="micro", **given))
    each = f1_score(actual, predicted, average=None, **given)
    assert macro == pytest.approx(each[seen].mean())
    known = np.flatnonzero(actual.any(axis=0))
    areas = [average_precision_score(actual[:, at], probabilities[:, at], sample_weight=weights) for at in known]
    assert np.isnan(precision) if not len(known) else precision == pytest.approx(np.mean(areas))


@given(predicted_sets())
def test_the_average_precision_of_a_part_is_that_of_its_rows(sets):
    actual, probabilities, predicted, weights = sets
    part = slice(0, max(1, len(actual) // 2))
    scored = score_label_sets(actual, probabilities, predicted)
    chosen = scored._replace(**{name: getattr(scored, name)[part] for name in scored._fields})
    own = score_label_sets(actual[part], probabilities[part], predicted[part])
    assert compute_average_precisions(chosen, weights[part]) == pytest.approx(
        compute_average_precisions(own, weights[part]), nan_ok=True
    )


@given(predicted_sets())
def test_sets_survive_the_table(sets):
    actual, *_ = sets
    table = describe(pa.table({"labels": to_lists(actual)}), task="t", labels=("a", "b", "c", "d")[: actual.shape[1]])
    assert (to_indicators(table["labels"], table) == actual).all()


@pytest.mark.parametrize("column", [[[0], None], [[0], [2]], [[-1], [0]]])
def test_lists_that_name_no_class(column):
    table = describe(pa.table({"labels": pa.array(column, pa.list_(pa.int64()))}), task="t", labels=("a", "b"))
    with pytest.raises(DataError, match="t: labels: must be lists of class indices from 0 to 1"):
        to_indicators(table["labels"], table)


@pytest.mark.parametrize("probability", [np.nan, 1.5, -0.1])
def test_numbers_that_are_no_probabilities(probability):
    actual = np.zeros((1, 2), dtype=bool)
    with pytest.raises(DataError, match="a probability is not a number"):
        score_label_sets(actual, np.array([[0.5, probability]]), actual)


@given(predicted_sets())
def test_no_other_threshold_has_a_higher_f1(sets):
    actual, probabilities, _, _ = sets
    known, values = actual[:, 0], probabilities[:, 0]

    def score(threshold: float) -> float:
        return float(f1_score(known, values >= threshold, zero_division=0))

    best = score(choose_threshold(values, known))
    assert best >= max(score(threshold) for threshold in (0.0, *np.unique(values), 1.1)) - 1e-12


def test_a_rare_label_takes_the_threshold_of_all():
    rng = np.random.default_rng(0)
    probabilities = rng.random((200, 3))
    actual = probabilities > np.array([0.8, 0.3, 0.995])
    assert 0 < actual[:, 2].sum() < 10
    first, second, rare = choose_thresholds(probabilities, actual)
    assert (first, second) == (pytest.approx(0.8, abs=0.05), pytest.approx(0.3, abs=0.05))
    assert rare == choose_threshold(probabilities.ravel(), actual.ravel())
    predicted = apply_thresholds(probabilities, np.array([first, second, rare]))
    assert (predicted[:, :2] == actual[:, :2]).all()
