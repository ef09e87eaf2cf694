import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calibration.counts import count_answers
from pipeline.calibration.decision import PLAIN, Decision
from pipeline.calibration.thresholds import fit_decision, highest_threshold, lowest_threshold
from pipeline.core.errors import DataError
from pipeline.settings.production import CalibrateParams

LABELS = ("ham", "spam", "eggs")
SCORES = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.3, np.nextafter(0.3, 1), 0.5, 0.9, 1.0]), st.booleans()),
                  min_size=1, max_size=30)  # fmt: skip
SHARES = st.floats(0.01, 1)


def params(**keys):
    return CalibrateParams.model_validate({"task": "t", "abstain": None, "favoured": None} | keys)


def arrays_of(pairs):
    return np.array([score for score, _ in pairs]), np.array([hit for _, hit in pairs])


def share_right(scores, hits, threshold):
    return hits[scores >= threshold].mean()


@given(SCORES, SHARES)
def test_the_lowest_threshold_is_that_of_a_search_through_all(pairs, share):
    scores, hits = arrays_of(pairs)
    enough = [score for score in sorted(set(scores)) if share_right(scores, hits, score) >= share]
    threshold = lowest_threshold(scores, hits, share=share)
    if not enough:
        assert threshold is None
        return
    assert ((scores >= threshold) == (scores >= enough[0])).all()
    assert threshold <= enough[0]
    assert (threshold == 0) == (enough[0] == scores.min())


@given(SCORES, SHARES)
def test_the_highest_threshold_is_that_of_a_search_through_all(pairs, share):
    scores, hits = arrays_of(pairs)
    threshold = highest_threshold(scores, hits, share=share)
    if not hits.any():
        assert threshold is None
        return
    enough = [score for score in sorted(set(scores)) if hits[scores >= score].sum() / hits.sum() >= share]
    assert ((scores >= threshold) == (scores >= enough[-1])).all()


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(3, 60))
    probabilities = rng.dirichlet([0.5, 0.5, 0.5], rows)
    actual = np.where(rng.random(rows) < 0.8, probabilities.argmax(axis=1), rng.integers(3, size=rows))
    return probabilities, actual


@given(cases(), st.floats(0.3, 1), st.sampled_from(["precision", "recall"]), st.sampled_from(["accuracy", "coverage"]))
def test_what_is_wanted_is_met_on_validation(case, share, kind, goal):
    probabilities, actual = case
    wanted = params(favoured={"class": "spam", kind: share}, abstain={goal: share})
    try:
        decision = fit_decision(wanted, LABELS, probabilities, actual)
    except DataError:
        return
    counts = count_answers(probabilities, actual, LABELS, decision)
    assert counts.hits / (counts.called if kind == "precision" else counts.members) >= share
    assert (counts.right / counts.sure if goal == "accuracy" else counts.sure / counts.rows) >= share


def test_without_a_wish_the_decision_is_the_plain_one():
    assert fit_decision(params(), LABELS, np.eye(3), np.arange(3)) == PLAIN


def test_thresholds_lie_half_way_between_two_scores():
    probabilities = np.array([[0.2, 0.8, 0], [0.4, 0.6, 0], [0.7, 0.3, 0], [0.9, 0.1, 0]])
    actual = np.array([1, 1, 0, 0])
    wanted = params(favoured={"class": "spam", "precision": 1.0}, abstain={"coverage": 0.5})
    assert fit_decision(wanted, LABELS, probabilities, actual) == (pytest.approx(0.75), "spam", pytest.approx(0.45))


def test_answers_that_are_all_right_are_all_sure():
    wanted = params(abstain={"accuracy": 0.99})
    assert fit_decision(wanted, LABELS, np.eye(3) * 0.7 + 0.1, np.arange(3)) == Decision(0.0, None, None)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"favoured": {"class": "spam", "precision": 0.9}}, r"^t: calibrate\.favoured: .*spam.*0\.9.*at best 0\.5\b"),
        ({"favoured": {"class": "eggs", "recall": 0.5}}, r"^t: calibrate\.favoured: .*eggs.*0\.5.*at best 0\b"),
        ({"abstain": {"accuracy": 0.9}}, r"^t: calibrate\.abstain: .*0\.9.*at best 0\.5\b"),
    ],
)
def test_what_no_threshold_reaches_is_said_with_the_best(keys, words):
    probabilities = np.array([[0.2, 0.8, 0.0], [0.2, 0.8, 0.0]])
    with pytest.raises(DataError, match=words):
        fit_decision(params(**keys), LABELS, probabilities, np.array([0, 1]))
