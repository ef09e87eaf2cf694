from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.repeats import DROP_REASONS, Policy, find_repeated_ids, resolve_repeats
from pipeline.settings.fields import SPLITS, Split

TEST_FIRST: dict[Split, int] = {"test": 0, "validation": 1, "train": 2}
ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(SPLITS)))


class Resolved(NamedTuple):
    dropped: dict[int, str]
    conflicts: list[int]
    texts: int


def resolve(rows: list[tuple[str, str, Split]], policy: Policy = "drop") -> Resolved:
    result = resolve_repeats(
        np.array([ord(row[0]) for row in rows], np.uint64),
        labels=np.array([ord(row[1]) for row in rows], np.int32),
        sides=np.array([SPLITS.index(row[2]) for row in rows], np.uint8),
        policy=policy,
        ranks=[TEST_FIRST[split] for split in SPLITS],
    )
    dropped = {row: DROP_REASONS[reason - 1] for row, reason in enumerate(result.reasons.tolist()) if reason}
    return Resolved(dropped, result.conflicts.tolist(), result.texts)


@pytest.mark.parametrize(
    ("labels", "policy", "stays"),
    [
        ("xxy", "majority", 0),
        ("yxx", "majority", 1),
        ("xxy", "drop", None),
        ("xxy", "fail", None),
        ("xy", "majority", None),
    ],
)
def test_a_text_with_several_labels_follows_the_policy(labels: str, policy: Policy, stays: int | None) -> None:
    result = resolve([("a", label, "train") for label in labels], policy)
    assert [row for row in range(len(labels)) if row not in result.dropped] == ([] if stays is None else [stays])
    assert (result.conflicts, result.texts) == (list(range(len(labels))), 1)


def test_majority_counts_losers_as_conflicts_and_the_rest_as_duplicates() -> None:
    result = resolve([("a", "y", "train"), ("a", "x", "train"), ("a", "x", "train")], "majority")
    assert result.dropped == {0: "conflicts", 2: "duplicates"}


def test_of_a_text_on_several_sides_test_keeps_it_and_train_loses_it_first() -> None:
    rows: list[tuple[str, str, Split]] = [("a", "x", side) for side in ("train", "validation", "test", "test")]
    assert resolve(rows).dropped == {0: "leaks", 1: "leaks", 3: "duplicates"}
    assert resolve(rows[:2]).dropped == {0: "leaks"}


@given(st.lists(st.integers(0, 5)))
def test_repeated_rows_are_found(values: list[int]) -> None:
    repeated = find_repeated_ids(np.array(values, np.uint64)).tolist()
    assert repeated == [row for row, value in enumerate(values) if values.count(value) > 1]


@given(ROWS, st.sampled_from(["drop", "majority"]))
def test_every_text_stays_once_at_most_with_its_commonest_label(
    rows: list[tuple[str, str, Split]], policy: Policy
) -> None:
    result = resolve(rows, policy)
    by_text: dict[str, list[int]] = defaultdict(list)
    for row, (text, _, _) in enumerate(rows):
        by_text[text].append(row)
    for same in by_text.values():
        left = [row for row in same if row not in result.dropped]
        counts = Counter(rows[row][1] for row in same)
        top = [label for label, count in counts.items() if count == max(counts.values())]
        clear = len(counts) == 1 or (policy == "majority" and len(top) == 1)
        assert len(left) == clear
        if clear:
            winners = [row for row in same if rows[row][1] == top[0]]
            assert rows[left[0]][1] == top[0]
            assert TEST_FIRST[rows[left[0]][2]] == min(TEST_FIRST[rows[row][2]] for row in winners)
            losers = [row for row in same if rows[row][1] != top[0]]
            assert all(result.dropped[row] == "conflicts" for row in losers)
            for row in {*winners} - {*left}:
                assert result.dropped[row] == ("duplicates" if rows[row][2] == rows[left[0]][2] else "leaks")
        else:
            assert all(result.dropped[row] == "conflicts" for row in same)
    several = [same for same in by_text.values() if len({rows[row][1] for row in same}) > 1]
    assert (result.conflicts, result.texts) == (sorted(row for same in several for row in same), len(several))
