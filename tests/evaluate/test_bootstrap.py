import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluate.bootstrap import bootstrap, bootstrap_macro_f1, estimate_headline, percentile_interval
from pipeline.evaluate.estimate import UNDEFINED, Estimate, wilson_interval
from pipeline.evaluate.metrics import (
    HEADLINE_METRICS,
    Floats,
    Scored,
    compute_headline,
    confusion_matrix,
    score_predictions,
    select_rows,
)


def sample(rows: int, classes: int, seed: int, *, skill: float = 2.0) -> Scored:
    """A model that is right more often than not."""
    rng = np.random.default_rng(seed)
    actual = rng.integers(classes, size=rows)
    raw = rng.gamma(1, size=(rows, classes)) + skill * np.eye(classes)[actual] * rng.random((rows, 1))
    return score_predictions(actual, raw / raw.sum(1, keepdims=True), bins=10)


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 10**6))
def test_each_draw_is_the_metrics_of_a_resample(rows: int, classes: int, seed: int) -> None:
    data = sample(rows, classes, seed)
    draws = bootstrap([data], resamples=3, rng=np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    for draw in draws:
        resample = select_rows(data, rng.integers(rows, size=rows))
        assert draw[0] == pytest.approx(compute_headline(resample, np.ones(rows)))


def test_models_share_their_resamples() -> None:
    data = sample(50, 3, seed=1)
    draws = bootstrap([data, sample(50, 3, seed=2), data], resamples=20, rng=np.random.default_rng(0))
    assert (draws[:, 0] == draws[:, 2]).all()
    assert (draws[:, 0] != draws[:, 1]).any()


def test_the_seed_decides() -> None:
    data = sample(50, 3, seed=1)
    one, same, other = (bootstrap([data], resamples=20, rng=np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()


def estimate(data: Scored, draws: Floats) -> dict[str, Estimate]:
    return estimate_headline(data, compute_headline(data, np.ones(len(data.actual))), draws, confidence=0.9)


def test_intervals_agree_with_scipy() -> None:
    data = sample(300, 3, seed=3)
    draws = bootstrap([data], resamples=4000, rng=np.random.default_rng(0))[:, 0]
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


def test_macro_f1_from_the_matrix_is_the_same_bootstrap() -> None:
    data = sample(120, 4, seed=4)
    matrix = confusion_matrix(data.actual, data.predicted, data.classes)
    by_rows = bootstrap([data], resamples=3000, rng=np.random.default_rng(0))[:, 0, HEADLINE_METRICS.index("macro_f1")]
    by_cells = bootstrap_macro_f1(matrix, resamples=3000, rng=np.random.default_rng(0))
    spread = by_rows.std()
    levels = (0.025, 0.25, 0.5, 0.75, 0.975)
    assert np.quantile(by_cells, levels) == pytest.approx(np.quantile(by_rows, levels), abs=spread / 4)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng, hits, trials = np.random.default_rng(0), 0, 80
    for _ in range(trials):
        right = (rng.random(150) < 0.7).astype(np.int64)
        one_hot = np.where(right[:, None] == 1, [1.0, 0.0], [0.0, 1.0])
        data = score_predictions(np.zeros(150, np.int64), one_hot, bins=2)
        found = estimate(data, bootstrap([data], resamples=120, rng=rng)[:, 0])["accuracy"]
        hits += found.low <= 0.7 <= found.high  # type: ignore[operator]
    low, high = stats.binom.interval(0.999, trials, 0.9)
    assert low <= hits <= high


def test_one_class_has_no_macro_f1() -> None:
    probabilities = np.tile([0.6, 0.4], (30, 1))
    data = score_predictions(np.zeros(30, np.int64), probabilities, bins=10)
    found = estimate(data, bootstrap([data], resamples=100, rng=np.random.default_rng(0))[:, 0])
    assert found["macro_f1"] == UNDEFINED
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
