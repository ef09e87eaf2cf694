"""Decoding of the logits of starts and ends: the most probable span of a passage over its windows, or none."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.metrics import Floats

SPAN_OUTPUTS = ("start", "end")  # of a model, at each token
LONGEST_ANSWER = 30  # tokens of an answer at most
BEST = 20  # spans of a passage whose scores are made probabilities


class Window(NamedTuple):
    """A window of T tokens: the character of the passage where each starts and ends, -1 outside of it, and logits."""

    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    logits: Floats  # (T, 2): of the start and of the end; those of the first token say that there is no answer


class Candidate(NamedTuple):
    """Characters `start` to `end` of a passage, and the sum of the two logits."""

    start: int
    end: int
    score: float


class Decoded(NamedTuple):
    """The best span of a passage, the score of there being none, and the probability of each of the two.

    The probabilities are shares of the exponentials of the scores of the `BEST` spans and of none.
    """

    best: Candidate
    null: float
    span_probability: float
    null_probability: float

    @property
    def doubt(self) -> float:
        """How much better the score of no answer is."""
        return self.null - self.best.score


def decode(windows: Sequence[Window], *, longest: int = LONGEST_ANSWER) -> Decoded:
    """Return the best span of at most `longest` tokens over the windows of one passage, the first of equals.

    The score of no answer is the least of the windows: any of them may hold one.

    Source: Devlin et al. 2019, BERT, arXiv 1810.04805, section 4.3.
    """
    null = min(float(window.logits[0].sum()) for window in windows)
    spans: dict[tuple[int, int], Candidate] = {}
    for window in windows:
        for span in rank_spans(window, longest=longest):
            known = spans.get(span[:2])
            if known is None or span.score > known.score:
                spans[span[:2]] = span
    ranked = sorted(spans.values(), key=lambda span: (-span.score, span.start, span.end))[:BEST]
    best = ranked[0] if ranked else Candidate(0, 0, null)
    scores = np.array([null, *(span.score for span in ranked)])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    return Decoded(best, null, float(shares[1]) if ranked else 0.0, float(shares[0]))


def rank_spans(window: Window, *, longest: int = LONGEST_ANSWER) -> Iterator[Candidate]:
    """Yield the `BEST` spans of a window, in no order: tokens of the passage in a row, `longest` at most."""
    tokens = np.flatnonzero(window.starts >= 0)
    if not len(tokens):
        return
    first, count = int(tokens[0]), len(tokens)
    reach = min(longest, count)
    ends = np.concatenate([window.logits[first : first + count, 1], np.full(reach - 1, -np.inf)])
    scores = window.logits[first : first + count, :1] + np.lib.stride_tricks.sliding_window_view(ends, reach)
    flat = scores.ravel()
    kept = min(BEST, len(flat))
    for place in np.argpartition(-flat, kept - 1)[:kept].tolist():
        start, length = divmod(place, reach)
        if np.isfinite(flat[place]):
            left, right = first + start, first + start + length
            yield Candidate(int(window.starts[left]), int(window.ends[right]), float(flat[place]))
