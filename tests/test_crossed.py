import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from pipeline.crossed import crossed_macro_f1, crossed_mean, mean_macro_f1


def table(seeds, examples, *, rng, by_seed=0.0, by_example=0.0, rest=1.0, mean=0.0):
    return (
        mean
        + by_seed * rng.normal(size=(seeds, 1))
        + by_example * rng.normal(size=(1, examples))
        + rest * rng.normal(size=(seeds, examples))
    )


def test_the_error_is_that_of_the_mean_squares_of_statsmodels():
    values = table(4, 30, rng=np.random.default_rng(0), by_seed=0.8, by_example=1.5, mean=0.3)
    frame = pd.DataFrame([{"seed": s, "example": e, "value": values[s, e]} for s in range(4) for e in range(30)])
    squares = anova_lm(ols("value ~ C(seed) + C(example)", frame).fit())
    a, b, e = squares["mean_sq"]
    freedoms = squares["df"]
    assert a > e
    assert b > e
    found = crossed_mean(values, confidence=0.95)
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(np.sqrt((a + b - e) / values.size))
    freedom = (a + b - e) ** 2 / (a**2 / freedoms.iloc[0] + b**2 / freedoms.iloc[1] + e**2 / freedoms.iloc[2])
    assert found.freedom == pytest.approx(freedom)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.value) / found.error, freedom))
    low, high = stats.t.interval(0.95, freedom, loc=found.value, scale=found.error)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_with_one_seed_it_is_the_t_test_over_the_examples():
    values = np.random.default_rng(1).normal(0.1, 1, (1, 200))
    found, test = crossed_mean(values, confidence=0.9), stats.ttest_1samp(values[0], 0)
    assert found.p_value == pytest.approx(test.pvalue)
    assert (found.low, found.high) == pytest.approx(test.confidence_interval(0.9))


def test_with_one_example_it_is_the_t_test_over_the_seeds():
    values = np.random.default_rng(2).normal(0.5, 1, (6, 1))
    found, test = crossed_mean(values, confidence=0.95), stats.ttest_1samp(values[:, 0], 0)
    assert found.p_value == pytest.approx(test.pvalue)


@pytest.mark.parametrize(("by_seed", "by_example"), [(0.0, 0.0), (0.0, 1.0), (0.3, 0.0), (0.3, 1.0)])
def test_the_interval_holds_the_truth_as_often_as_it_says(by_seed, by_example):
    rng = np.random.default_rng(3)
    runs = 1500
    held = 0
    for _ in range(runs):
        found = crossed_mean(table(3, 50, rng=rng, by_seed=by_seed, by_example=by_example), confidence=0.95)
        held += found.low <= 0 <= found.high
    assert held / runs >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / runs)


@given(st.integers(1, 4), st.integers(2, 20), st.integers(0, 10**6))
def test_the_order_of_seeds_and_examples_does_not_matter(seeds, examples, state):
    rng = np.random.default_rng(state)
    values = rng.integers(-1, 2, (seeds, examples)).astype(float)
    one = crossed_mean(values, confidence=0.95)
    other = crossed_mean(values[rng.permutation(seeds)][:, rng.permutation(examples)], confidence=0.95)
    assert one.value == pytest.approx(other.value)
    assert one.error == pytest.approx(other.error)
    assert one.p_value == pytest.approx(other.p_value)
    assert 0 <= one.p_value <= 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_nothing_varies_there_is_no_interval(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = crossed_mean(np.full((2, 3), value), confidence=0.95)
    assert found[:4] == (value, None, None, 0.0)
    assert found.p_value == 1.0


def test_macro_f1_is_scikit_learns_mean_over_the_seeds():
    rng = np.random.default_rng(4)
    actual, predicted = rng.integers(0, 3, 80), rng.integers(0, 3, (2, 80))
    expected = np.mean([f1_score(actual, one, average="macro") for one in predicted])
    assert mean_macro_f1(actual, predicted, classes=3) == pytest.approx(expected)


def test_resampled_macro_f1_varies_about_the_value_and_no_less_than_over_the_examples_alone():
    rng = np.random.default_rng(5)
    actual = rng.integers(0, 3, 300)
    predicted = np.where(rng.random((3, 300)) < 0.8, actual, rng.integers(0, 3, (3, 300)))
    draws = crossed_macro_f1(actual, predicted, classes=3, resamples=500, rng=np.random.default_rng(0))
    alone = crossed_macro_f1(actual, predicted[:1], classes=3, resamples=500, rng=np.random.default_rng(0))
    value = mean_macro_f1(actual, predicted, classes=3)
    assert abs(draws.mean() - value) < 4 * draws.std() / np.sqrt(len(draws)) + 0.005
    assert draws.std() > 0.5 * alone.std()
