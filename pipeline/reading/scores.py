"""Scores of answers: exact match and F1 of words, as SQuAD 2.0 counts them.

Source: Rajpurkar, Jia and Liang 2018, Know What You Don't Know, arXiv 1806.03822, and its evaluation script;
Rajpurkar et al. 2016, SQuAD, arXiv 1606.05250, section 6.1.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.metrics import Floats

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class ScoredAnswers(NamedTuple):
    """N scored answers, (N,) each: whether they match, their F1, whether there is an answer, and how sure they are."""

    exact: Floats
    f1: Floats
    answerable: npt.NDArray[np.bool_]
    confidence: Floats


def simplify(text: str) -> str:
    """Return a text in lower case, without ASCII punctuation, English articles and runs of white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def score_answer(answer: str, truths: Sequence[str]) -> tuple[float, float]:
    """Return the exact match, 0 or 1, and the F1 of an answer, the best over its truths.

    An empty answer says that there is none; so do no truths, and truths of which nothing is left once simplified.
    """
    wanted = [truth for truth in truths if simplify(truth)] or [""]
    own = simplify(answer)
    exact = float(any(own == simplify(truth) for truth in wanted))
    return exact, max(_word_f1(own.split(), simplify(truth).split()) for truth in wanted)


def _word_f1(answer: Sequence[str], truth: Sequence[str]) -> float:
    if not answer or not truth:
        return float(answer == truth)
    shared = (Counter(answer) & Counter(truth)).total()
    return 2 * shared / (len(answer) + len(truth))


def score_answers(
    answers: Sequence[str], truths: Sequence[Sequence[str]], confidence: Sequence[float | None]
) -> ScoredAnswers:
    """Return the scores of N answers, each against its truths; a confidence that is not known counts as 0."""
    pairs = [score_answer(answer, own) for answer, own in zip(answers, truths, strict=True)]
    exact, f1 = np.array(pairs, np.float64).reshape(-1, 2).T
    return ScoredAnswers(
        exact=exact,
        f1=f1,
        answerable=np.array([bool(own) for own in truths], np.bool_),
        confidence=np.array([value or 0.0 for value in confidence], np.float64),
    )


def compute_answer_metrics(scored: ScoredAnswers, weights: Floats) -> Floats:
    """Return F1, exact match, both of the questions with an answer, and the share of the others left unanswered, (5,).

    A mean over no question is NaN.
    """
    has, none = weights * scored.answerable, weights * ~scored.answerable
    means = ((scored.f1, weights), (scored.exact, weights), (scored.f1, has), (scored.exact, has), (scored.f1, none))
    return np.array([_mean(values, own) for values, own in means])


def _mean(values: Floats, weights: Floats) -> float:
    total = weights.sum()
    return float(values @ weights / total) if total else float("nan")
