import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipeline.watch.domain import measure_auc, measure_domain

LEVEL = 0.05


def samples(seed, shift=0.0, rows=(90, 60), width=8):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows[0], width)).astype(np.float32), rng.normal(shift, size=(rows[1], width)).astype("f4")


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=4, max_size=40))
def test_the_auc_is_scikit_learns_and_its_variance_that_of_the_placements(pairs):
    scores, positive = np.array([score for score, _ in pairs], float), np.array([int(side) for _, side in pairs])
    if min(positive.sum(), (1 - positive).sum()) < 2:
        return
    auc, variance = measure_auc(scores, positive)
    assert auc == pytest.approx(roc_auc_score(positive, scores))
    above, below = scores[positive == 1][:, None], scores[positive == 0]
    wins = (above > below) + 0.5 * (above == below)
    placements = [wins.mean(axis=1), wins.mean(axis=0)]
    assert variance == pytest.approx(sum(side.var(ddof=1) / len(side) for side in placements))


def test_alike_samples_raise_no_more_alarms_than_the_level():
    distances = [measure_domain(*samples(seed), confidence=0.95, seed=0) for seed in range(100)]
    assert sum(distance.p < LEVEL for distance in distances) <= 9  # a binomial of 100 and 0.05 exceeds it by 3%
    assert sum(distance.low <= 0.5 <= distance.high for distance in distances) >= 90


def test_a_shift_is_found_and_so_is_no_shift_of_a_copy():
    far = measure_domain(*samples(0, shift=1.0), confidence=0.95, seed=0)
    assert far.value > 0.9
    assert far.low > 0.8
    assert far.p < 1e-6
    reference, _ = samples(1)
    assert measure_domain(reference, reference, confidence=0.95, seed=0).p > LEVEL


def test_the_same_samples_give_the_same_numbers():
    assert measure_domain(*samples(3), confidence=0.9, seed=4) == measure_domain(*samples(3), confidence=0.9, seed=4)
