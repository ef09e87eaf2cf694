"""The thresholds of a decision, chosen on validation for what is wanted of the answers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.calibration.decision import PLAIN, Decision, answer_rows
from pipeline.core.document import Strict
from pipeline.core.errors import DataError
from pipeline.settings.production import CalibrateParams

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]


def fit_decision(params: CalibrateParams, labels: Sequence[str], probabilities: _Floats, actual: _Ints) -> Decision:
    """Return the decision by which the answers to validation rows reach what `params` want of them.

    `probabilities` is (N, C), `actual` (N,) class indices. The threshold of the favoured class comes first, so the
    probability below which an answer is unsure is that of the answers it leads to.

    Raises:
        DataError: No threshold reaches it; the message gives the best that can be had.
    """
    decision = PLAIN
    if favoured := params.favoured:
        at = labels.index(favoured.label)
        members = actual == at
        threshold = _choose(probabilities[:, at], members, members, right=favoured.precision, reached=favoured.recall)
        if threshold is None:
            raise _unreachable(f"{params.task}: calibrate.favoured", favoured, probabilities[:, at], members)
        decision = decision._replace(favoured=favoured.label, threshold=threshold)
    if abstain := params.abstain:
        answers = answer_rows(probabilities, labels, decision)
        right = answers.classes == actual
        rows = np.ones_like(right)
        below = _choose(answers.confidence, right, rows, right=abstain.accuracy, reached=abstain.coverage)
        if below is None:
            raise _unreachable(f"{params.task}: calibrate.abstain", abstain, answers.confidence, right)
        decision = decision._replace(abstain_below=below)
    return decision


def lowest_threshold(scores: _Floats, hits: _Flags, *, share: float) -> float | None:
    """Return the lowest threshold with at least `share` of hits among the rows (N,) that reach it; None without one.

    It is 0 if all rows reach it, and else lies half way between two scores, so that the last bits of a score decide
    nothing.
    """
    values, reaching, hits_reaching = _cumulate(scores, hits)
    enough = np.flatnonzero(hits_reaching / reaching >= share)
    return _below(values, int(enough[-1])) if len(enough) else None


def highest_threshold(scores: _Floats, hits: _Flags, *, share: float) -> float | None:
    """Return the highest threshold that at least `share` of the hits reach; None if there is no hit.

    Like the lowest one, it lies half way between two scores.
    """
    values, _, hits_reaching = _cumulate(scores, hits)
    if not hits.any():
        return None
    return _below(values, int(np.flatnonzero(hits_reaching / hits_reaching[-1] >= share)[0]))


def _choose(
    scores: _Floats, hits: _Flags, counted: _Flags, *, right: float | None, reached: float | None
) -> float | None:
    """Return the threshold with a share `right` of hits above it, or that a share `reached` of the counted reaches."""
    if right is not None:
        return lowest_threshold(scores, hits, share=right)
    return None if reached is None else highest_threshold(scores, counted, share=reached)


def _unreachable(where: str, wanted: Strict, scores: _Floats, hits: _Flags) -> DataError:
    """Return the error of a share that no threshold has."""
    _, reaching, hits_reaching = _cumulate(scores, hits)
    best = float((hits_reaching / reaching).max())
    goal = ", ".join(f"{key} {value}" for key, value in wanted.model_dump(by_alias=True, exclude_none=True).items())
    return DataError(f"{where}: no threshold reaches {goal} on validation, at best {best:.4g}. Ask for less.")


def _cumulate(scores: _Floats, hits: _Flags) -> tuple[_Floats, _Ints, _Ints]:
    """Return the different scores, falling, and how many rows and hits reach each."""
    values, places = np.unique(-scores, return_inverse=True)
    rows = np.bincount(places, minlength=len(values)).cumsum()
    return -values, rows, np.bincount(places[hits], minlength=len(values)).cumsum()


def _below(values: _Floats, at: int) -> float:
    """Return a threshold that the falling values reach up to the one `at` a place, and no further; 0 after the last."""
    if at + 1 == len(values):
        return 0.0
    value, lower = float(values[at]), float(values[at + 1])
    middle = (value + lower) / 2
    return middle if middle > lower else value
