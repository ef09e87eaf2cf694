"""Linear models of scikit-learn as arrays, and the same models out of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression, Ridge

from pipeline.linear.saved import LinearWeights

Numbers = npt.NDArray[np.float64]
Estimator = Callable[[Any], Numbers]  # features (N, F) -> outputs


def keep_logistic(model: LogisticRegression, classes: int) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a model of some of the `classes` of a task."""
    return {
        "coefficients": model.coef_,
        "intercepts": model.intercept_,
        "seen": model.classes_.astype(np.int64),
        "classes": np.array([classes]),
    }


def open_logistic(arrays: LinearWeights) -> Estimator:
    """Return the function from features to the probabilities of all classes, (N, C), 0 of one without train rows."""
    model = _fill(LogisticRegression(), arrays["coefficients"], arrays["intercepts"])
    model.classes_ = arrays["seen"]
    return lambda features: spread_probabilities(model, features, int(arrays["classes"][0]))


def spread_probabilities(model: LogisticRegression, features: Any, classes: int) -> Numbers:
    """Return the model's probabilities with a column for every class, 0 for those it never saw."""
    probabilities = np.zeros((features.shape[0], classes))
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities


def keep_labels(models: list[LogisticRegression | float]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a model for each label, or its share in train if all texts have the label, or none."""
    fitted = [model for model in models if not isinstance(model, float)]
    shares = [model if isinstance(model, float) else np.nan for model in models]
    if not fitted:
        return {"shares": np.array(shares)}
    return {
        "coefficients": np.concatenate([model.coef_ for model in fitted]),
        "intercepts": np.concatenate([model.intercept_ for model in fitted]),
        "shares": np.array(shares),
    }


def open_labels(arrays: LinearWeights) -> Estimator:
    """Return the function from features to the probability of each label, (N, C)."""
    place, models = 0, list[LogisticRegression | float]()
    for share in arrays["shares"].tolist():
        if np.isnan(share):
            rows = slice(place, place + 1)
            model = _fill(LogisticRegression(), arrays["coefficients"][rows], arrays["intercepts"][rows])
            model.classes_ = np.arange(2)
            models.append(model)
            place += 1
        else:
            models.append(share)
    return lambda features: estimate_labels(models, features)


def estimate_labels(models: list[LogisticRegression | float], features: Any) -> Numbers:
    """Return the probability of each label by its model, or by its share in train, (N, C)."""
    columns = [
        np.full(features.shape[0], model) if isinstance(model, float) else model.predict_proba(features)[:, 1]
        for model in models
    ]
    return np.stack(columns, axis=1)


def keep_ridge(model: Ridge) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a model of numbers."""
    return {"coefficients": model.coef_, "intercepts": np.atleast_1d(model.intercept_)}


def open_ridge(arrays: LinearWeights) -> Estimator:
    """Return the function from features to numbers, (N, 1)."""
    model = _fill(Ridge(), arrays["coefficients"], float(arrays["intercepts"][0]))
    return lambda features: np.asarray(model.predict(features), np.float64)[:, None]


def _fill(model: Any, coefficients: npt.NDArray[Any], intercepts: Any) -> Any:
    model.coef_, model.intercept_, model.n_features_in_ = coefficients, intercepts, coefficients.shape[-1]
    return model
