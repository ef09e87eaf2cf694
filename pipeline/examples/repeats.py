"""Which rows of one text stay: one at most, on one side, with one label."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from pipeline.settings.fields import Split

Reason = Literal["conflicts", "duplicates", "leaks"]
Policy = Literal["drop", "majority", "fail"]


class Settled(NamedTuple):
    """The reason why each row that goes does so, by row, and the rows of each text with several labels."""

    dropped: dict[int, Reason]
    conflicts: list[list[int]]


def settle(
    rows: Iterable[int],
    *,
    ids: Sequence[str],
    labels: Sequence[str],
    sides: Sequence[Split],
    policy: Policy,
    rank: Mapping[Split, int],
) -> Settled:
    """Return which of `rows` to drop so that every id is there once at most; the other columns are indexed by row.

    A text with several labels keeps the commonest under `majority`; under a tie, and otherwise, it loses all its
    rows (`conflicts`). Of the rows left of a text, the one stays whose side has the lowest `rank`, the first among
    equals; the others are `duplicates` on its side and `leaks` on another.
    """
    first: dict[str, int] = {}
    repeated: dict[str, list[int]] = {}
    for row in rows:
        start = first.setdefault(ids[row], row)
        if start != row:
            repeated.setdefault(ids[row], [start]).append(row)
    dropped: dict[int, Reason] = {}
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
    return Settled(dropped, conflicts)


def _label(labels: list[str], policy: Policy) -> str | None:
    """Return the label a text keeps: its only one, or, under `majority`, the commonest if there is one."""
    commonest = Counter(labels).most_common(2)
    if len(commonest) == 1 or (policy == "majority" and commonest[0][1] > commonest[1][1]):
        return commonest[0][0]
    return None
