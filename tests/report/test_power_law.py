import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from pipeline.evaluate.estimate import Estimate
from pipeline.report.power_law import CurvePoint, find_region, fit_power_law, forecast_gain, read_point

SIZES = (32, 128, 512, 2048, 8192)
LAWS = st.tuples(st.floats(0, 0.3), st.floats(0.05, 0.3), st.floats(0.1, 1.0))


def make_curve(law, *, spread=0.005, noise=0.0, seed=0, sizes=SIZES):
    floor, rest, exponent = law
    drawn = np.random.default_rng(seed).normal(0, noise, len(sizes)) if noise else np.zeros(len(sizes))
    return [
        CurvePoint(size, floor + rest * (size / sizes[-1]) ** -exponent + float(error), spread)
        for size, error in zip(sizes, drawn, strict=True)
    ]


@settings(deadline=None, max_examples=30)
@given(LAWS)
def test_a_law_without_noise_is_found(law):
    curve = make_curve(law)
    found = fit_power_law(curve)
    assert found is not None
    for point in curve:
        assert found.predict(point.labels) == pytest.approx(point.error, abs=2e-3)
    assert found.predict(2 * SIZES[-1]) == pytest.approx(law[0] + law[1] * 2 ** -law[2], abs=2e-3)


def test_it_is_the_fit_of_scipys_curve_fit():
    curve = make_curve((0.1, 0.2, 0.4), noise=0.01, spread=0.01)
    found = fit_power_law(curve)
    share = np.array(SIZES) / SIZES[-1]
    wanted, _ = curve_fit(lambda x, a, b, c: a + b * x**-c, share, [point.error for point in curve], p0=(0.1, 0.1, 0.5))
    assert found is not None
    assert found[:3] == pytest.approx(wanted, rel=1e-3)


@settings(deadline=None, max_examples=10)
@given(LAWS, st.integers(0, 100))
def test_more_labels_never_bring_a_loss_nor_more_than_the_error(law, seed):
    curve = make_curve(law, noise=0.005, seed=seed)
    gain = forecast_gain(curve, factor=2, confidence=0.95)
    if gain.value is not None:
        assert 0 <= gain.low <= gain.high <= 1
        assert 0 <= gain.value <= curve[-1].error + 0.1


def test_the_interval_holds_the_true_gain_nearly_always():
    law = (0.05, 0.1, 0.35)
    true = law[1] * (1 - 2 ** -law[2])
    gains = [forecast_gain(make_curve(law, noise=0.005, seed=seed), factor=2, confidence=0.95) for seed in range(20)]
    told = [gain for gain in gains if gain.value is not None]
    assert len(told) >= 18
    assert sum(gain.low <= true <= gain.high for gain in told) >= 0.8 * len(told)


def test_more_noise_makes_a_wider_interval():
    widths = []
    for spread in (0.003, 0.03):
        gain = forecast_gain(make_curve((0.05, 0.1, 0.35), spread=spread), factor=2, confidence=0.95)
        widths.append(gain.high - gain.low)
    assert widths[0] < widths[1]


def test_a_curve_that_falls_otherwise_or_has_too_few_points_tells_nothing():
    rising = make_curve((0.05, 0.1, 0.35))[::-1]
    backwards = [point._replace(labels=size) for point, size in zip(rising, SIZES, strict=True)]
    for curve in (backwards, make_curve((0.05, 0.1, 0.35))[2:], []):
        assert fit_power_law(curve) is None
        assert forecast_gain(curve, factor=2, confidence=0.95).value is None


def test_where_a_model_still_guesses_is_left_out():
    curve = make_curve((0.05, 0.1, 0.25))
    guessing = [curve[0]._replace(error=0.8), *curve[1:]]
    assert find_region(guessing) == curve[1:]
    assert find_region(curve) == curve


def test_a_point_has_the_spread_of_its_interval():
    point = read_point(100, Estimate(0.8, 0.8 - 0.0196, 0.8 + 0.0196), confidence=0.95)
    assert point == pytest.approx((100, 0.2, 0.01), rel=1e-4)
    assert read_point(100, Estimate(0.8), confidence=0.95) is None
