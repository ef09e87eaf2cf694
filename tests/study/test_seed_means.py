"""The crossed mean beside statsmodels and SciPy, and what its interval promises."""

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

from pipeline.study.seed_means import crossed_macro_f1, crossed_mean, mean_macro_f1


def table(seeds, examples, *, rng, by_seed=0.0, by_example=0.0, rest=1.0, mean=0.0):
    return (
        mean
        + by_seed * rng.normal(size=(seeds, 1))
        + by_example * rng.normal(size=(1, examples))
        + rest * rng.normal(size=(seeds, examples))
    )


def test_the_interval_adds_the_mean_squares_of_statsmodels_each_at_the_t_of_its_own_freedom():
    values = table(4, 30, rng=np.random.default_rng(0), by_seed=0.8, by_example=1.5, mean=0.3)
    frame = pd.DataFrame([{"seed": s, "example": e, "value": values[s, e]} for s in range(4) for e in range(30)])
    squares = anova_lm(ols("value ~ C(seed) + C(example)", frame).fit())
    a, b, e = squares["mean_sq"]
    assert a > e
    assert b > e

    def reach(level):
        by_seed, by_example = (stats.t.isf(level / 2, freedom) for freedom in squares["df"].iloc[:2])
        return np.sqrt((by_seed**2 * a + by_example**2 * (b - e)) / values.size)

    mean = crossed_mean(values, confidence=0.95)
    assert mean.value == pytest.approx(values.mean())
    assert (mean.low, mean.high) == pytest.approx((mean.value - reach(0.05), mean.value + reach(0.05)))
    assert reach(mean.p_value) == pytest.approx(abs(mean.value))  # the p value is where the interval touches 0


def test_with_one_seed_it_is_the_t_test_over_the_examples():
    values = np.random.default_rng(1).normal(0.1, 1, (1, 200))
    mean, test = crossed_mean(values, confidence=0.9), stats.ttest_1samp(values[0], 0)
    assert mean.p_value == pytest.approx(test.pvalue)
    assert (mean.low, mean.high) == pytest.approx(test.confidence_interval(0.9))


def test_with_one_example_it_is_the_t_test_over_the_seeds():
    values = np.random.default_rng(2).normal(0.5, 1, (6, 1))
    mean, test = crossed_mean(values, confidence=0.95), stats.ttest_1samp(values[:, 0], 0)
    assert mean.p_value == pytest.approx(test.pvalue)


@pytest.mark.parametrize(
    ("seeds", "examples", "by_seed", "by_example"),
    [
        (3, 50, 0.0, 0.0), (3, 50, 0.0, 1.0), (3, 50, 0.3, 0.0), (3, 50, 0.3, 1.0),
        (2, 1000, 0.02, 0.5), (2, 1000, 0.1, 0.0), (2, 1000, 0.1, 0.5), (3, 1000, 0.1, 0.5), (5, 1000, 0.1, 0.5),
    ],
)  # fmt: skip
def test_the_interval_holds_the_truth_as_often_as_it_says(seeds, examples, by_seed, by_example):
    """With 2 seeds of 0.1, Satterthwaite's one interval would hold it 0.87 of the time, and p be below 0.001 in 6%."""
    rng = np.random.default_rng(3)
    runs = 1500
    means = [
        crossed_mean(table(seeds, examples, rng=rng, by_seed=by_seed, by_example=by_example), confidence=0.95)
        for _ in range(runs)
    ]
    held = np.mean([mean.low <= 0 <= mean.high for mean in means])
    assert held >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
    assert np.mean([mean.p_value < 0.001 for mean in means]) <= 0.001 + 3 * np.sqrt(0.001 / runs)


def test_two_seeds_that_agree_by_luck_prove_little():
    """Right answers out of 1,075 rows: the gain of both seeds is the same, and another seed's may be anything."""
    rng = np.random.default_rng(6)
    gains = np.stack([rng.permutation(np.repeat([1.0, -1.0, 0.0], (250, 164, 661))) for _ in range(2)])
    mean = crossed_mean(gains, confidence=0.95)
    assert mean.value == pytest.approx(0.08)
    assert mean.low < 0 < mean.high
    assert mean.p_value > 0.05


@pytest.mark.parametrize("value", [1e-9, 1.0])
def test_a_p_value_is_a_number_however_sure(value):
    values = value + np.random.default_rng(7).normal(0, 1e-6, (5, 2000))
    assert 0 < crossed_mean(values, confidence=0.95).p_value <= 1
    alone = crossed_mean(values[:1], confidence=0.95).p_value
    assert alone == pytest.approx(max(stats.ttest_1samp(values[0], 0).pvalue, np.exp(-300.0)))


@given(st.integers(1, 4), st.integers(2, 20), st.integers(0, 10**6))
def test_the_order_of_seeds_and_examples_does_not_matter(seeds, examples, state):
    rng = np.random.default_rng(state)
    values = rng.integers(-1, 2, (seeds, examples)).astype(float)
    mean = crossed_mean(values, confidence=0.95)
    other = crossed_mean(values[rng.permutation(seeds)][:, rng.permutation(examples)], confidence=0.95)
    assert mean.value == pytest.approx(other.value)
    assert (mean.low is None) == (other.low is None)
    assert mean.low is None or (mean.low, mean.high) == pytest.approx((other.low, other.high))
    assert mean.p_value == pytest.approx(other.p_value)
    assert 0 <= mean.p_value <= 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_nothing_varies_there_is_no_interval(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean = crossed_mean(np.full((2, 3), value), confidence=0.95)
    assert mean == (value, None, None, 1.0)


def test_macro_f1_is_scikit_learns_mean_over_the_seeds():
    rng = np.random.default_rng(4)
    actual, predicted = rng.integers(0, 3, 80), rng.integers(0, 3, (2, 80))
    expected = np.mean([f1_score(actual, own, average="macro") for own in predicted])
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
