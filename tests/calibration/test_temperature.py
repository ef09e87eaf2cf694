import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax

from pipeline.calibration.temperature import HIGHEST, LOWEST, apply_temperature, fit_temperature, likelihood_loss


@st.composite
def cases(draw):
    """Logits (N, C) and labels (N,)."""
    rows, classes = draw(st.integers(1, 40)), draw(st.integers(2, 5))
    logits = draw(arrays(np.float64, (rows, classes), elements=st.floats(-30, 30, width=32)))
    return logits, draw(arrays(np.int64, rows, elements=st.integers(0, classes - 1)))


def loss_with_one_more(logits, labels, temperature):
    logs = log_softmax(logits / temperature, axis=1)
    return -logs[np.arange(len(labels)), labels].sum() - logs.mean()


@given(cases())
def test_no_temperature_of_a_grid_is_better_and_none_raises_the_loss(case):
    logits, labels = case
    temperature = fit_temperature(logits, labels)
    assert LOWEST <= temperature <= HIGHEST
    assert likelihood_loss(logits / temperature, labels) <= likelihood_loss(logits, labels)
    if temperature != 1:
        best = loss_with_one_more(logits, labels, temperature)
        for other in np.geomspace(LOWEST * 1.001, HIGHEST / 1.001, 50):
            assert best <= loss_with_one_more(logits, labels, other) + 1e-6 * (1 + abs(best))


@given(cases())
def test_the_loss_is_the_negative_log_likelihood(case):
    logits, labels = case
    wanted = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()
    assert likelihood_loss(logits, labels) == pytest.approx(wanted, abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(0.25, 4))
def test_a_scale_of_the_logits_is_a_scale_of_the_temperature(seed, scale):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(60, 3)) * 3
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits, axis=1)])
    one, scaled = fit_temperature(logits, labels), fit_temperature(logits * scale, labels)
    assume(1 not in (one, scaled))
    assert scaled == pytest.approx(one * scale, rel=1e-4)


def test_the_temperature_of_labels_drawn_from_the_logits_is_that_they_were_multiplied_by():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 2
    labels = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.03)


@pytest.mark.parametrize("rows", [10, 100, 1000])
def test_rows_that_are_all_right_are_not_taken_for_certain(rows):
    logits = np.tile([2.0, 0.0], (rows, 1))
    certain = softmax(logits / fit_temperature(logits, np.zeros(rows, np.int64)), axis=1)[0, 0]
    assert certain == pytest.approx((rows + 0.5) / (rows + 1), abs=1e-3)


@given(cases(), st.floats(0.2, 5))
def test_a_temperature_is_applied_to_probabilities_as_to_logits_and_undone(case, temperature):
    logits = case[0]
    given_probabilities = softmax(logits, axis=1)
    scaled = apply_temperature(given_probabilities, temperature)
    assert scaled == pytest.approx(softmax(logits / temperature, axis=1), abs=1e-9)
    assert apply_temperature(scaled, 1 / temperature) == pytest.approx(given_probabilities, abs=1e-9)


def test_a_probability_of_zero_stays():
    assert apply_temperature(np.array([[1.0, 0.0], [0.5, 0.5]]), 3.0).tolist() == [[1.0, 0.0], [0.5, 0.5]]
