"""The threshold from which a question counts as one without an answer."""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluate.metrics import Floats
from pipeline.reading.scores import score_answer


def fit_threshold(doubts: Floats, answers: Sequence[str], truths: Sequence[Sequence[str]]) -> float | None:
    """Return the doubt above which an answer is best left out, by the mean F1 of N questions, (N,).

    Of equally good thresholds, halfway between two doubts or beyond all, the one nearest to 0 counts. None if all
    questions have an answer: then nothing says when to give none.

    Source: Rajpurkar et al. 2018, arXiv 1806.03822, section 5 and its script, which takes the doubts themselves.
    """
    if all(truths):
        return None
    given = np.array([score_answer(answer, own)[1] for answer, own in zip(answers, truths, strict=True)])
    withheld = np.array([score_answer("", own)[1] for own in truths])
    order = np.argsort(doubts, kind="stable")
    rising = doubts[order]
    edges = np.concatenate([[rising[0] - 1], (rising[:-1] + rising[1:]) / 2, [rising[-1] + 1]])
    kept = np.concatenate([[0.0], np.cumsum(given[order])])
    left = np.concatenate([[0.0], np.cumsum(withheld[order][::-1])])[::-1]
    distinct = np.concatenate([[True], rising[:-1] < rising[1:], [True]])
    totals = np.where(distinct, np.round(kept + left, 9), -1.0)
    best = np.flatnonzero(totals == totals.max())
    return float(edges[best[np.argmin(np.abs(edges[best]))]])
