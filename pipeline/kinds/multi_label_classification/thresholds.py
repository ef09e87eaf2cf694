"""Thresholds of label probabilities: a label is answered from its own on, which validation chooses."""

import numpy as np

from pipeline.evaluate.metrics import Floats
from pipeline.kinds.multi_label_classification.metrics import Bools

# Validation rows of a label with which it is given a threshold of its own; with fewer it would follow single rows.
LEAST_ROWS = 10
EVEN_THRESHOLD = 0.5


def choose_threshold(probabilities: Floats, actual: Bools) -> float:
    """Return the threshold, in [0, 1], from which on answers have the highest F1, of equals the highest threshold.

    It is halfway between two probabilities. Both arrays are (N,); without a row of the label it is `HALF`.
    """
    if not actual.any():
        return EVEN_THRESHOLD
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(actual[order])
    last = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))  # the last of each run of equals
    f1 = 2 * hits[last] / (last + 1 + hits[-1])
    best = last[int(np.argmax(f1))]
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


def choose_thresholds(probabilities: Floats, actual: Bools) -> Floats:
    """Return the threshold of each label, (C,), from the rows of validation, (N, C).

    A label with fewer than `LEAST_ROWS` of them takes the threshold that is best for all labels together.

    Source: Fan and Lin (2007), A Study on Threshold Selection for Multi-label Classification.
    """
    common = choose_threshold(probabilities.ravel(), actual.ravel())
    return np.array(
        [
            choose_threshold(column, known) if known.sum() >= LEAST_ROWS else common
            for column, known in zip(probabilities.T, actual.T, strict=True)
        ]
    )


def apply_thresholds(probabilities: Floats, thresholds: Floats) -> Bools:
    """Return which labels are answered, (N, C)."""
    return np.greater_equal(probabilities, thresholds)
