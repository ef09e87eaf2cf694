import numpy as np
import pytest

from pipeline.predict.questions import Prepared
from pipeline.settings.production import WatchParams
from pipeline.watch.distances import Distance
from pipeline.watch.judgement import LIMITS, judge_distances, measure_accuracy, measure_view
from pipeline.watch.view import View

NO_LIMIT = dict.fromkeys(LIMITS.values(), 0.0)  # whatever is not chance passes
STRICT = WatchParams(task="t", rows=1000, min_rows=1, level=0.05, seed=0, **NO_LIMIT | {"max_auc": 0.5})


def view(seed, rows=300, *, lengths=12.0, skew=0.5, unknown=0.02, sure=3.0):
    rng = np.random.default_rng(seed)
    top = rng.beta(sure, 1, rows) / 2 + 0.5
    positive = rng.random(rows) < skew
    probabilities = np.stack([np.where(positive, 1 - top, top), np.where(positive, top, 1 - top)], axis=1)
    own = rng.poisson(lengths, rows) + 2
    return View(
        prepared=Prepared([], [], [], ()),
        lengths=own,
        cut=own > 20,
        characters=own * 4,
        lost=(rng.random(rows) < unknown) * 4,
        probabilities=probabilities,
        answers=probabilities.argmax(axis=1),
        unsure=probabilities.max(axis=1) < 0.6,
    )


def passed(reference, file):
    distances = measure_view(reference, file, abstains=True, seed=0)
    return {number.name for number in judge_distances(distances, STRICT) if number.passed}


def test_the_same_distribution_raises_an_alarm_no_more_often_than_the_level():
    alarms = sum(bool(passed(view(seed), view(1000 + seed))) for seed in range(100))
    assert alarms <= 9


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"lengths": 16.0}, {"length", "truncated"}),
        ({"skew": 0.8}, {"classes"}),
        ({"unknown": 0.4}, {"unknown"}),
        ({"sure": 0.8}, {"confidence", "unsure"}),
    ],
)
def test_a_change_names_its_own_numbers(change, expected):
    assert passed(view(0), view(1, **change)) == expected


def test_a_number_within_its_limit_or_without_one_is_no_alarm():
    distances = {"length": Distance(1.0, 2.0, 0.3, 1e-9), "unsure": Distance(0.0, 0.4, 0.4, 1e-9)}
    limits = STRICT.model_copy(update={"max_length_distance": 0.3, "max_unsure_rise": None})
    assert [number.passed for number in judge_distances(distances, limits)] == [False, False]


def test_chance_is_shared_by_all_numbers():
    one = {"length": Distance(1.0, 2.0, 0.3, 0.03)}
    two = one | {"truncated": Distance(0.0, 0.1, 0.1, 0.03)}
    assert [number.passed for number in judge_distances(one, STRICT)] == [True]
    assert [number.passed for number in judge_distances(two, STRICT)] == [False, False]


def test_the_accuracy_drops_by_the_difference_of_shares():
    right, half = np.arange(40) % 2, np.zeros(40, np.int64)
    drop = measure_accuracy((right, right), (right, half))
    assert (drop.reference, drop.file, drop.value) == (1.0, 0.5, 0.5)
    assert drop.p < 1e-4
