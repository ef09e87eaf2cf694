from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluate.bootstrap import bootstrap, estimate_metrics, percentile_interval
from pipeline.evaluate.estimate import Estimate, wilson_interval
from pipeline.evaluate.kind import compute_metrics, select_rows
from pipeline.evaluate.metrics import Floats, ScoredClasses, score_predictions
from pipeline.kinds.text_classification.measures import MEASURES


def sample(rows: int, classes: int, seed: int, *, skill: float = 2.0) -> ScoredClasses:
    """A model that is right more often than not."""
    rng = np.random.default_rng(seed)
    actual = rng.integers(classes, size=rows)
    raw = rng.gamma(1, size=(rows, classes)) + skill * np.eye(classes)[actual] * rng.random((rows, 1))
    return score_predictions(actual, raw / raw.sum(1, keepdims=True), bins=10)


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 10**6))
def test_each_draw_is_the_metrics_of_a_resample(rows: int, classes: int, seed: int) -> None:
    data = sample(rows, classes, seed)
    draws = bootstrap(MEASURES, [data], resamples=3, rng=np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    for draw in draws:
        resample = select_rows(data, rng.integers(rows, size=rows))
        wanted = compute_metrics(MEASURES, resample)
        assert draw[0] == pytest.approx(np.where(np.isnan(wanted), draw[0], wanted), nan_ok=True)


def test_models_share_their_resamples() -> None:
    data = sample(50, 3, seed=1)
    draws = bootstrap(MEASURES, [data, sample(50, 3, seed=2), data], resamples=20, rng=np.random.default_rng(0))
    assert (draws[:, 0] == draws[:, 2]).all()
    assert (draws[:, 0] != draws[:, 1]).any()


def test_the_seed_decides() -> None:
    data = sample(50, 3, seed=1)
    rngs = (np.random.default_rng(seed) for seed in (0, 0, 1))
    one, same, other = (bootstrap(MEASURES, [data], resamples=20, rng=rng) for rng in rngs)
    assert (one == same).all()
    assert (one != other).any()


def estimate(data: ScoredClasses, draws: Floats) -> dict[str, Estimate]:
    return estimate_metrics(MEASURES, data, compute_metrics(MEASURES, data), draws, confidence=0.9)


def test_intervals_agree_with_scipy() -> None:
    data = sample(300, 3, seed=3)
    draws = bootstrap(MEASURES, [data], resamples=4000, rng=np.random.default_rng(0))[:, 0]
    found = estimate(data, draws)
    columns = {"accuracy": data.right.astype(float), "log_loss": data.losses, "brier": data.squares}
    for name, column in columns.items():
        wanted = stats.bootstrap(
            (column,), np.mean, n_resamples=4000, confidence_level=0.9, method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval  # fmt: skip
        width = wanted.high - wanted.low
        assert found[name].value == pytest.approx(column.mean())
        assert found[name].low == pytest.approx(wanted.low, abs=width / 10)
        assert found[name].high == pytest.approx(wanted.high, abs=width / 10)


def test_examples_of_a_unit_are_drawn_together() -> None:
    data = sample(60, 2, seed=5)
    units = np.repeat(np.arange(20), 3)
    drawn = np.random.default_rng(0).integers(20, size=20)
    rows = np.concatenate([np.flatnonzero(units == unit) for unit in drawn])
    (draw,) = bootstrap(MEASURES, [data], resamples=1, rng=np.random.default_rng(0), units=units)
    assert draw[0] == pytest.approx(compute_metrics(MEASURES, select_rows(data, rows)))
    twice = select_rows(data, np.repeat(np.arange(60), 2))
    options: dict[str, Any] = {"resamples": 400, "rng": np.random.default_rng(0)}
    alone = bootstrap(MEASURES, [data], **options)[:, 0, 0].std()
    doubled = bootstrap(MEASURES, [twice], **options, units=np.repeat(np.arange(60), 2))[:, 0, 0].std()
    assert doubled == pytest.approx(alone, rel=0.15)  # and not smaller by sqrt(2)


def test_resamples_without_a_value_do_not_count() -> None:
    draws = np.array([0.1, np.nan, 0.3, 0.2])
    assert percentile_interval(0.2, draws, confidence=0.5) == percentile_interval(0.2, draws[[0, 2, 3]], confidence=0.5)
    assert percentile_interval(np.nan, draws, confidence=0.5, undefined="why") == Estimate(None, reason="why")
    assert percentile_interval(0.2, draws[1:2], confidence=0.5).low is None


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng, hits, trials = np.random.default_rng(0), 0, 80
    for _ in range(trials):
        right = (rng.random(150) < 0.7).astype(np.int64)
        one_hot = np.where(right[:, None] == 1, [1.0, 0.0], [0.0, 1.0])
        data = score_predictions(np.zeros(150, np.int64), one_hot, bins=2)
        found = estimate(data, bootstrap(MEASURES, [data], resamples=120, rng=rng)[:, 0])["accuracy"]
        hits += found.low <= 0.7 <= found.high  # type: ignore[operator]
    low, high = stats.binom.interval(0.999, trials, 0.9)
    assert low <= hits <= high


def test_one_class_has_no_macro_f1() -> None:
    probabilities = np.tile([0.6, 0.4], (30, 1))
    data = score_predictions(np.zeros(30, np.int64), probabilities, bins=10)
    found = estimate(data, bootstrap(MEASURES, [data], resamples=100, rng=np.random.default_rng(0))[:, 0])
    assert found["macro_f1"].value is None
    assert found["macro_f1"].reason == "all rows are of one class, and a mean over classes needs two"
    assert found["accuracy"] == wilson_interval(30, 30, confidence=0.9)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=50), st.floats(0.5, 0.99))
def test_an_interval_lies_within_its_draws(values: list[float], confidence: float) -> None:
    draws = np.array(values)
    found = percentile_interval(0.5, draws, confidence=confidence)
    if found.low is None or found.high is None:
        assert len(set(values)) == 1
    else:
        assert draws.min() <= found.low <= found.high <= draws.max()
        tails = ((1 - confidence) / 2, (1 + confidence) / 2)
        assert (found.low, found.high) == pytest.approx(tuple(stats.mstats.mquantiles(draws, tails, 1, 1)))
