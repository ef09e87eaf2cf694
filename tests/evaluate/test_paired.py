import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pipeline.classes.measures import RIGHT_CLASSES
from pipeline.evaluate.mcnemar import POWER, detectable_difference, mcnemar
from pipeline.evaluate.metrics import score_predictions
from pipeline.evaluate.paired import (
    ScoredPair,
    adjust_p_values,
    compare_pair,
    flip_test,
    mid_p_worse,
    share_not_worse,
    smallest_drop,
)
from pipeline.kinds.text_classification.measures import MEASURES

TRIALS = 400


def predicted(actual, right, rng):
    """Return probabilities of two classes that are right where `right` says so, as sure as chance makes them."""
    top = rng.uniform(0.6, 0.95, size=len(actual))
    said = np.where(right, actual, 1 - actual)
    return np.where(np.arange(2) == said[:, None], top[:, None], 1 - top[:, None])


def pair(base_only: int, head_only: int, both: int, neither: int, seed: int = 0) -> ScoredPair:
    """Return two models that are right on so many examples each alone, both, neither."""
    rng = np.random.default_rng(seed)
    counts = (base_only, head_only, both, neither)
    actual = rng.integers(2, size=sum(counts))
    rights = (np.repeat(side, counts) for side in ([True, False, True, False], [False, True, True, False]))
    return ScoredPair(*(score_predictions(actual, predicted(actual, right, rng), bins=10) for right in rights))


def drawn(rows: int, shares: tuple[float, float], rng) -> ScoredPair:
    """Return two models, right alone with these shares (base, head), on random examples."""
    base_only, head_only = (int(one) for one in rng.multinomial(rows, [*shares, 1 - sum(shares)])[:2])
    rest = rows - base_only - head_only
    return pair(base_only, head_only, rest * 4 // 5, rest - rest * 4 // 5, seed=int(rng.integers(2**31)))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 5))
def test_the_one_sided_mid_p_is_half_the_weight_of_the_split_found(broken, fixed, both):
    if not (broken + fixed + both):
        return
    found = mid_p_worse(RIGHT_CLASSES, pair(broken, fixed, both, 1))
    lone = broken + fixed
    worse = stats.binom.cdf(fixed, lone, 0.5) - stats.binom.pmf(fixed, lone, 0.5) / 2
    assert found == pytest.approx(worse if lone else 0.5, abs=1e-9)
    assert found + mid_p_worse(RIGHT_CLASSES, pair(fixed, broken, both, 1)) == pytest.approx(1)


@given(st.integers(1, 400), st.integers(0, 400))
def test_no_p_value_is_above_one(broken, fixed):
    test = flip_test(RIGHT_CLASSES, pair(broken, fixed, 1, 1))
    assert 0 <= test.mid_p <= test.p_value <= 1


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_agrees_with_statsmodels(values):
    assert adjust_p_values(values) == pytest.approx(multipletests(values, method="holm")[1], abs=1e-12)
    assert adjust_p_values([]) == []


def test_the_bootstrap_agrees_with_that_of_scipy_on_macro_f1():
    from sklearn.metrics import f1_score

    found = pair(40, 20, 300, 60)
    one = compare_pair(MEASURES, found, confidence=0.9, resamples=3000, rng=np.random.default_rng(0))["macro_f1"]
    columns = (found.base.actual, found.base.predicted, found.head.predicted)

    def macro(actual, predicted):  # of scikit-learn's value, a hundred times as fast
        hits = [
            2 * np.sum((actual == k) & (predicted == k)) / np.sum((actual == k) + 1 * (predicted == k)) for k in (0, 1)
        ]
        return np.mean(hits)

    def difference(actual, base, head):
        return macro(actual, head) - macro(actual, base)

    assert macro(*columns[:2]) == pytest.approx(f1_score(*columns[:2], average="macro"))

    wanted = stats.bootstrap(
        columns, difference, paired=True, vectorized=False, n_resamples=1500, confidence_level=0.9,
        method="percentile", random_state=np.random.default_rng(1),
    )  # fmt: skip
    assert one.difference == pytest.approx(difference(*columns))
    assert one.low == pytest.approx(wanted.confidence_interval.low, abs=0.004)
    assert one.high == pytest.approx(wanted.confidence_interval.high, abs=0.004)
    assert one.spread == pytest.approx(wanted.standard_error, rel=0.06)
    evidence = compare_pair(MEASURES, found, confidence=0.9, resamples=200, rng=np.random.default_rng(0))
    assert evidence["accuracy"].p_value == mcnemar(found.head.right, found.base.right).p_value


def test_examples_drawn_in_units_are_judged_by_the_bootstrap_alone():
    single = pair(10, 4, 40, 6)
    options = {"confidence": 0.9, "resamples": 400}
    own = compare_pair(MEASURES, single, rng=np.random.default_rng(0), **options)["accuracy"]
    units = single._replace(units=np.arange(60))
    found = compare_pair(MEASURES, units, rng=np.random.default_rng(0), **options)["accuracy"]
    assert (found.difference, found.low, found.spread) == (own.difference, own.low, own.spread)
    assert own.p_value == flip_test(RIGHT_CLASSES, single).p_value
    assert found.p_value != own.p_value


@pytest.mark.parametrize("trials", [60, pytest.param(250, marks=pytest.mark.slow)])
def test_intervals_cover_the_true_difference_at_the_nominal_rate(trials):
    """The truth is that of a hundred thousand examples of the same kind."""
    rng, names = np.random.default_rng(2), ("accuracy", "macro_f1", "log_loss", "brier")
    truth = compare_pair(MEASURES, drawn(100_000, (0.1, 0.06), rng), confidence=0.9, resamples=2, rng=rng)
    hits = dict.fromkeys(names, 0)
    for _ in range(trials):
        found = compare_pair(MEASURES, drawn(300, (0.1, 0.06), rng), confidence=0.9, resamples=200, rng=rng)
        for name in names:
            hits[name] += found[name].low <= truth[name].difference <= found[name].high
    low, high = stats.binom.interval(0.999, trials, 0.9)
    assert all(low <= one <= high for one in hits.values()), hits


@pytest.mark.parametrize("rows", [443, 1075])
def test_equal_models_are_called_worse_at_the_stated_level(rows):
    rng, level = np.random.default_rng(3), 0.05
    found = [mid_p_worse(RIGHT_CLASSES, drawn(rows, (0.04, 0.04), rng)) < level for _ in range(TRIALS * 5)]
    assert sum(found) <= stats.binom.ppf(0.999, len(found), level)
    assert sum(found) >= stats.binom.ppf(0.001, len(found), 0.5 * level)  # nor is it deaf


@pytest.mark.parametrize("trials", [80, pytest.param(300, marks=pytest.mark.slow)])
def test_equal_models_are_called_worse_at_the_stated_level_by_the_bootstrap(trials):
    rng, level, alarms = np.random.default_rng(4), 0.05, 0
    for _ in range(trials):
        one = compare_pair(MEASURES, drawn(300, (0.05, 0.05), rng), confidence=0.95, resamples=200, rng=rng)["macro_f1"]
        alarms += one.p_worse < level
    assert alarms <= stats.binom.ppf(0.999, trials, level)
    assert alarms >= 1


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=50))
def test_the_share_that_is_no_loss_by_counting(values):
    assert share_not_worse(np.array(values, dtype=float)) == (sum(one >= 0 for one in values) + 1) / (len(values) + 1)


@given(st.integers(200, 5000), st.floats(0.02, 0.4))
def test_without_an_allowance_the_gate_sees_what_connor_says(rows, share):
    lone = round(rows * share)
    seen = smallest_drop(((lone / rows) / rows) ** 0.5, largest=0.0, level=0.05)
    wanted = detectable_difference(rows, lone, confidence=0.9)
    assert seen is not None
    assert wanted is None or seen == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("largest", [0.0, 0.01, 0.03])
def test_the_smallest_drop_is_refused_four_times_out_of_five(largest):
    rows, share, level = 1075, 0.08, 0.05
    drop = smallest_drop((share / rows) ** 0.5, largest=largest, level=level)
    assert drop is not None
    counts = np.random.default_rng(5).multinomial(rows, [(share + drop) / 2, (share - drop) / 2, 1 - share], size=3000)
    refused = []
    for broken, fixed, _ in counts:
        test = stats.binom.cdf(fixed, broken + fixed, 0.5) - stats.binom.pmf(fixed, broken + fixed, 0.5) / 2
        refused.append((broken - fixed) / rows > largest and test < level)
    assert np.mean(refused) == pytest.approx(POWER, abs=0.04)
    assert smallest_drop(0.0, largest=largest, level=level) is None
