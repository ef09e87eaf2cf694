import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference

from pipeline.evaluate.bootstrap import bootstrap, percentile_interval
from pipeline.evaluate.mcnemar import McNemar, detectable_difference, mcnemar, paired_p_value
from pipeline.evaluate.metrics import score_predictions
from pipeline.kinds.text_classification.measures import MEASURES

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]


def pair(both: int, model_only: int, baseline_only: int, neither: int) -> tuple[Bools, Bools]:
    counts = (both, model_only, baseline_only, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 5))
def test_mcnemar_agrees_with_statsmodels_and_scipy(model_only: int, baseline_only: int, agreed: int) -> None:
    found = mcnemar(*pair(agreed, model_only, baseline_only, agreed))
    wanted = reference([[agreed, model_only], [baseline_only, agreed]], exact=True).pvalue
    assert found.p_value == pytest.approx(wanted, rel=1e-9)
    assert (found.model_only, found.baseline_only) == (model_only, baseline_only)
    discordant = model_only + baseline_only
    if discordant:  # mid-p, Lancaster's definition: half the weight for splits as uneven as the one found
        weights = stats.binom.pmf(np.arange(discordant + 1), discordant, 0.5)
        as_uneven = np.isclose(weights, weights[model_only], rtol=1e-7, atol=0)
        assert found.mid_p == pytest.approx(wanted - weights[as_uneven].sum() / 2, rel=1e-9)


def test_mcnemar_of_published_data() -> None:
    # Bentur et al. (2009), as analysed by Fagerland et al. (2013), table 1
    found = mcnemar(*pair(1, 1, 7, 12))
    assert found == pytest.approx(McNemar(0.0703125, 0.0390625, 1, 7))


def test_mcnemar_without_discordant_rows_shows_nothing() -> None:
    assert mcnemar(*pair(5, 0, 0, 5)) == McNemar(1.0, 1.0, 0, 0)


def test_mcnemar_of_many_rows_stays_accurate() -> None:
    found = mcnemar(*pair(0, 50_400, 49_600, 0))
    assert found.p_value == pytest.approx(stats.binomtest(49_600, 100_000).pvalue, rel=1e-8)
    assert mcnemar(*pair(0, 100_000, 0, 0)).p_value == 0.0  # 2 ** -99999 is below the smallest number


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_mcnemar_agrees_with_the_binomial_test_of_scipy(model_only: int, baseline_only: int) -> None:
    found = mcnemar(*pair(0, model_only, baseline_only, 1))
    discordant = model_only + baseline_only
    wanted = stats.binomtest(model_only, discordant).pvalue if discordant else 1.0
    assert found.p_value == pytest.approx(wanted, rel=1e-9, abs=1e-300)
    assert 0 <= found.mid_p <= found.p_value <= 1


def test_mcnemar_keeps_its_level_under_no_difference() -> None:
    rng, trials = np.random.default_rng(0), 2000
    tests = [mcnemar(*(rng.random((2, 80)) < 0.6)) for _ in range(trials)]
    exact, mid = (np.mean([getattr(one, name) < 0.05 for one in tests]) for name in ("p_value", "mid_p"))
    assert exact <= mid <= stats.binom.ppf(0.9999, trials, 0.05) / trials
    assert exact > 0


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60))
def test_paired_p_value_by_counting(values: list[int]) -> None:
    found = paired_p_value(np.array(values, dtype=np.float64))
    below, above = sum(one <= 0 for one in values), sum(one >= 0 for one in values)
    assert found == min(1.0, 2 * (min(below, above) + 1) / (len(values) + 1))
    assert found == paired_p_value(-np.array(values, dtype=np.float64))
    assert 0 < found <= 1


def test_paired_intervals_cover_the_true_difference() -> None:
    """Two models of known accuracies, right independently of each other: 0.8 and 0.65."""
    rng, trials, rows, hits, found_real = np.random.default_rng(1), 50, 200, 0, 0
    for _ in range(trials):
        actual = rng.integers(2, size=rows)
        data = []
        for skill in (0.8, 0.65):
            predicted = np.where(rng.random(rows) < skill, actual, 1 - actual)
            data.append(score_predictions(actual, np.eye(2)[predicted], bins=2))
        draws = bootstrap(MEASURES, data, resamples=120, rng=rng)
        gaps = draws[:, 0] - draws[:, 1]
        for at in range(2):  # accuracy, macro-F1
            one = percentile_interval(0.0, gaps[:, at], confidence=0.9)
            assert one.low is not None
            assert one.high is not None
            hits += one.low <= 0.15 <= one.high
            found_real += paired_p_value(gaps[:, at]) < 0.05
    low, high = stats.binom.interval(0.999, trials, 0.9)
    assert low <= hits / 2 <= high
    assert found_real > trials  # more than half of the 2 * trials differences of 15 points show at 200 rows


@given(st.integers(20, 5000), st.floats(0.05, 0.6), st.floats(0.6, 0.99), st.floats(0.55, 0.95))
def test_detectable_solves_connors_equation(rows: int, share: float, confidence: float, power: float) -> None:
    discordant = max(1, round(rows * share))
    found = detectable_difference(rows, discordant, confidence=confidence, power=power)
    share = discordant / rows
    if found is not None:
        alpha, beta = stats.norm.ppf((1 + confidence) / 2), stats.norm.ppf(power)
        needed = ((alpha * share**0.5 + beta * (share - found**2) ** 0.5) / found) ** 2
        assert needed == pytest.approx(rows, rel=1e-6)
        assert found <= share


def test_a_detectable_difference_is_detected_as_often_as_promised() -> None:
    rows, share, trials = 1000, 0.2, 1500
    smallest = detectable_difference(rows, round(share * rows), confidence=0.95)
    assert smallest is not None
    shares = [(share + smallest) / 2, (share - smallest) / 2, 1 - share]
    counts = np.random.default_rng(0).multinomial(rows, shares, size=trials)
    seen = np.mean([mcnemar(*pair(0, one, other, 0)).mid_p < 0.05 for one, other, _ in counts])
    assert seen == pytest.approx(0.8, abs=0.04)


def test_too_few_rows_detect_nothing() -> None:
    assert detectable_difference(10, 1, confidence=0.95) is None
    assert detectable_difference(10, 0, confidence=0.95) is None
