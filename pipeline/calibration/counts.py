"""The counts of a decision: how many rows it answers, and how many answers are right."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.calibration.decision import Decision, answer_rows


class AnswerCounts(NamedTuple):
    """The rows, those with a sure answer, and those with a sure answer that is right.

    Of the favoured class, sure or not: the rows answered with it, the rows of it, and both; 0 without one.
    """

    rows: int
    sure: int
    right: int
    called: int
    members: int
    hits: int


def count_answers(
    probabilities: npt.NDArray[np.float64], actual: npt.NDArray[np.int64], labels: Sequence[str], decision: Decision
) -> AnswerCounts:
    """Return the counts of the answers to rows of (N, C) probabilities, whose classes are `actual`, (N,) indices."""
    classes, _, unsure = answer_rows(probabilities, labels, decision)
    favoured = -1 if decision.favoured is None else labels.index(decision.favoured)
    called, members = classes == favoured, actual == favoured
    kept = (len(actual), ~unsure, ~unsure & (classes == actual), called, members, called & members)
    return AnswerCounts(*(int(np.sum(rows)) for rows in kept))


def share_of(hits: int, rows: int) -> float | None:
    """Return a share; None of no rows."""
    return hits / rows if rows else None
