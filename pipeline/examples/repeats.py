"""Rows of equal texts: at most one stays, on one side, with one label."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pipeline.settings.fields import Split

DropReason = Literal["conflicts", "duplicates", "leaks"]
Policy = Literal["drop", "majority", "fail"]


class Repeats(NamedTuple):
    """Rows of repeated texts.

    Args:
        dropped: Why each row that goes does so, by row.
        conflicts: The rows of each text that has several labels.
    """

    dropped: dict[int, DropReason]
    conflicts: list[list[int]]


def resolve_repeats(
    rows: Iterable[int],
    *,
    ids: Sequence[str],
    labels: Sequence[Any],
    sides: Sequence[Split],
    policy: Policy,
    rank: Mapping[Split, int],
) -> Repeats:
    """Return which of `rows` to drop so that each id is left at most once; the other columns are indexed by row.

    A text with several labels keeps the commonest under `majority`; under a tie, and under another policy, it loses
    all its rows (`conflicts`). Of the rows left of a text, the one on the side of the lowest `rank` stays, the first
    if several are; the others are `duplicates` if they are on its side and `leaks` if not.
    """
    first: dict[str, int] = {}
    repeated: dict[str, list[int]] = {}
    for row in rows:
        start = first.setdefault(ids[row], row)
        if start != row:
            repeated.setdefault(ids[row], [start]).append(row)
    dropped: dict[int, DropReason] = {}
    conflicts = []
    for same in repeated.values():
        if len({labels[row] for row in same}) > 1:
            conflicts.append(same)
        label = _label([labels[row] for row in same], policy)
        dropped |= dict.fromkeys((row for row in same if labels[row] != label), "conflicts")
        left = [row for row in same if labels[row] == label]
        if left:
            stays = min(left, key=lambda row: (rank[sides[row]], row))
            dropped |= {row: "duplicates" if sides[row] == sides[stays] else "leaks" for row in left if row != stays}
    return Repeats(dropped, conflicts)


def _label(labels: list[Any], policy: Policy) -> Any:
    """Return the label a text keeps: its only one, or, under `majority`, the commonest if there is one."""
    commonest = Counter(labels).most_common(2)
    if len(commonest) == 1 or (policy == "majority" and commonest[0][1] > commonest[1][1]):
        return commonest[0][0]
    return None
