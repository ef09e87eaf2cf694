"""The decision that class probabilities lead to: the class answered, and whether the answer is unsure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Decision(NamedTuple):
    """How a class is chosen; None leaves a rule out.

    Args:
        abstain_below: An answer is unsure if the class answered has a lower probability.
        favoured: A class that matters: answered if its probability reaches `threshold`, otherwise never.
        threshold: The least probability of `favoured`.
    """

    abstain_below: float | None
    favoured: str | None
    threshold: float | None


PLAIN = Decision(None, None, None)  # the most probable class, never unsure


class RowAnswers(NamedTuple):
    """The class answered for each row and its probability, each (N,), and whether the answer is unsure."""

    classes: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    unsure: npt.NDArray[np.bool_]


def decide(
    probabilities: npt.NDArray[np.float64], labels: Sequence[str], decision: Decision
) -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Return the class answered for each row of (N, C) probabilities, and whether it is unsure, (N,)."""
    answers = answer_rows(probabilities, labels, decision)
    return [labels[index] for index in answers.classes], answers.unsure


def answer_rows(probabilities: npt.NDArray[np.float64], labels: Sequence[str], decision: Decision) -> RowAnswers:
    """Return the answers to rows of (N, C) probabilities."""
    ranked = probabilities
    if decision.favoured is not None and decision.threshold is not None:
        favoured = labels.index(decision.favoured)
        ranked = probabilities.copy()
        reached = probabilities[:, favoured] >= decision.threshold
        ranked[:, favoured] = np.where(reached, np.inf, -np.inf)
    classes = ranked.argmax(axis=1)
    confidence = probabilities[np.arange(len(classes)), classes]
    return RowAnswers(classes, confidence, confidence < (decision.abstain_below or 0.0))
