"""The quality of a model on the rows of a file that have labels, alone and against an older model."""

from collections.abc import Sequence

import numpy as np

from pipeline.core.document import Document
from pipeline.evaluate.bootstrap import bootstrap, estimate_metrics
from pipeline.evaluate.kind import compute_metrics
from pipeline.evaluate.metrics import Floats, Ints, score_predictions
from pipeline.evaluate.paired import ScoredPair, compare_pair
from pipeline.kinds.text_classification.measures import MEASURES
from pipeline.kinds.text_classification.settings import TextEvaluateParams

FEWEST = 10  # labelled rows; of fewer, no interval says anything


def estimate_quality(actual: Ints, probabilities: Floats, params: TextEvaluateParams) -> Document:
    """Return the headline metrics of N labelled rows, each with its interval."""
    scored = score_predictions(actual, probabilities, bins=params.bins)
    rng = np.random.default_rng(params.seed)
    draws = bootstrap(MEASURES, [scored], resamples=params.resamples, rng=rng)[:, 0]
    values = compute_metrics(MEASURES, scored)
    estimates = estimate_metrics(MEASURES, scored, values, draws, confidence=params.confidence)
    return {name: estimate._asdict() for name, estimate in estimates.items()}


def compare_versions(actual: Ints, old: Floats, new: Floats, params: TextEvaluateParams) -> Document:
    """Return how the metrics of N labelled rows differ between two models, by the paired tests of `diff`."""
    pair = ScoredPair(
        score_predictions(actual, old, bins=params.bins), score_predictions(actual, new, bins=params.bins)
    )
    rng = np.random.default_rng(params.seed)
    evidence = compare_pair(MEASURES, pair, confidence=params.confidence, resamples=params.resamples, rng=rng)
    return {name: item._asdict() for name, item in evidence.items()}


def index_labels(classes: Sequence[str | None], labels: Sequence[str]) -> Ints:
    """Return the index of each row's class among the model's, (N,); -1 for a row without one."""
    places = {name: index for index, name in enumerate(labels)}
    return np.array([places.get(name or "", -1) for name in classes], np.int64)
