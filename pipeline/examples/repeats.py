"""Rows of equal texts: at most one stays, on one side, with one label."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

DropReason = Literal["duplicates", "conflicts", "leaks"]
Policy = Literal["drop", "majority", "fail"]
DROP_REASONS: tuple[DropReason, ...] = ("duplicates", "conflicts", "leaks")

_Integers = npt.NDArray[Any]
_DUPLICATE, _CONFLICT, _LEAK = range(1, len(DROP_REASONS) + 1)
_NO_LABEL = -1


class Repeats(NamedTuple):
    """What becomes of N rows.

    Args:
        reasons: Why a row goes, (N,): 0 if it stays, or from 1 its place in `DROP_REASONS`.
        conflicts: The rows of all texts that have several labels, rising.
        texts: How many texts these are.
    """

    reasons: npt.NDArray[np.uint8]
    conflicts: npt.NDArray[np.int64]
    texts: int


def find_repeated_ids(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the rows whose id another row has, rising."""
    order = np.argsort(ids)
    ranked = ids[order]
    is_same = ranked[1:] == ranked[:-1]
    repeated = np.zeros(len(ids), np.bool_)
    repeated[order[1:][is_same]] = True
    repeated[order[:-1][is_same]] = True
    return np.flatnonzero(repeated)


def resolve_repeats(
    ids: npt.NDArray[np.uint64], *, labels: _Integers, sides: _Integers, policy: Policy, ranks: Sequence[int]
) -> Repeats:
    """Return which rows to drop so that each id is left at most once.

    `labels` (N,) are numbers from 0, `sides` (N,) places in `ranks`. A text with several labels keeps the commonest
    under `majority`; under a tie, and under another policy, it loses all its rows (`conflicts`). Of the rows left of a
    text, the one on the side of the lowest rank stays, the first if several are; the others are `duplicates` if they
    are on its side and `leaks` if not.
    """
    if not len(ids):
        return Repeats(np.empty(0, np.uint8), np.empty(0, np.int64), 0)
    order = np.argsort(ids, kind="stable")  # by text, and by row within a text
    starts = np.flatnonzero(np.concatenate([[True], ids[order][1:] != ids[order][:-1]]))
    counts = np.diff(starts, append=len(order))
    own = labels[order]
    several = np.flatnonzero(np.minimum.reduceat(own, starts) != np.maximum.reduceat(own, starts))
    chosen = own[starts].astype(np.int64)
    for text in several:
        chosen[text] = _choose_label(own[starts[text] : starts[text] + counts[text]].tolist(), policy)
    text_of = np.repeat(np.arange(len(starts)), counts)
    left = own == chosen[text_of]
    # The place of a row: the rank of its side, then the order of the rows; one that is not left comes last.
    place = np.asarray(ranks)[sides[order]] * len(order) + np.arange(len(order))
    place[~left] = (max(ranks) + 1) * len(order)
    first = np.minimum.reduceat(place, starts)[text_of]
    stays = place == first
    side = sides[order][first % len(order)]
    reasons = np.where(stays, 0, np.where(sides[order] == side, _DUPLICATE, _LEAK))
    reasons[~left] = _CONFLICT
    result = np.empty(len(order), np.uint8)
    result[order] = reasons
    conflicting = np.isin(text_of, several)
    return Repeats(result, np.sort(order[conflicting]), len(several))


def _choose_label(labels: list[int], policy: Policy) -> int:
    """Return the label that a text with several keeps: under `majority` the commonest, if there is one."""
    (label, most), (_, next_most) = Counter(labels).most_common(2)
    return label if policy == "majority" and most > next_most else _NO_LABEL
