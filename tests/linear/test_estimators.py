import numpy as np
import pytest
from scipy.sparse import random as random_sparse
from sklearn.linear_model import LogisticRegression, Ridge

from pipeline.linear.estimators import (
    estimate_labels,
    keep_labels,
    keep_logistic,
    keep_ridge,
    open_labels,
    open_logistic,
    open_ridge,
    spread_probabilities,
)

FEATURES = random_sparse(60, 30, density=0.3, rng=np.random.default_rng(0)).tocsr()
DRAWN = np.random.default_rng(1).integers(0, 4, 60)


@pytest.mark.parametrize(("classes", "labels"), [(2, DRAWN % 2), (4, DRAWN), (6, np.where(DRAWN == 1, 5, DRAWN))])
def test_classes_have_the_same_probabilities_to_the_last_bit(classes, labels):
    model = LogisticRegression(C=10, solver="newton-cg").fit(FEATURES, labels)
    found = open_logistic(keep_logistic(model, classes))(FEATURES)
    assert found.tobytes() == spread_probabilities(model, FEATURES, classes).tobytes()
    assert (found[:, sorted({*range(classes)} - {*labels.tolist()})] == 0).all()


@pytest.mark.parametrize("shares", [(), (0.0,), (1.0, 0.0)])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_labels_have_the_same_probabilities_to_the_last_bit(shares, count):
    models = [LogisticRegression(C=3).fit(FEATURES, np.equal(DRAWN, label)) for label in range(count)]
    mixed = [*shares, *models, *shares]
    if mixed:
        found = open_labels(keep_labels(mixed))(FEATURES)
        assert found.tobytes() == estimate_labels(mixed, FEATURES).tobytes()
        assert (found[:, : len(shares)] == shares).all()


def test_numbers_are_the_same_to_the_last_bit():
    model = Ridge(alpha=0.3).fit(FEATURES, DRAWN * 1.5)
    assert open_ridge(keep_ridge(model))(FEATURES)[:, 0].tobytes() == model.predict(FEATURES).tobytes()
