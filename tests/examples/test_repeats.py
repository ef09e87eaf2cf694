from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.repeats import Policy, Repeats, resolve_repeats
from pipeline.settings.fields import SPLITS, Split

TEST_FIRST: dict[Split, int] = {"test": 0, "validation": 1, "train": 2}
ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(SPLITS)))


def resolve(rows: list[tuple[str, str, Split]], policy: Policy = "drop") -> Repeats:
    ids, labels, sides = ([row[place] for row in rows] for place in range(3))
    return resolve_repeats(range(len(rows)), ids=ids, labels=labels, sides=sides, policy=policy, rank=TEST_FIRST)  # type: ignore[arg-type]


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
    assert result.conflicts == [list(range(len(labels)))]


def test_majority_counts_losers_as_conflicts_and_the_rest_as_duplicates() -> None:
    result = resolve([("a", "y", "train"), ("a", "x", "train"), ("a", "x", "train")], "majority")
    assert result.dropped == {0: "conflicts", 2: "duplicates"}


def test_of_a_text_on_several_sides_test_keeps_it_and_train_loses_it_first() -> None:
    rows: list[tuple[str, str, Split]] = [("a", "x", side) for side in ("train", "validation", "test", "test")]
    assert resolve(rows).dropped == {0: "leaks", 1: "leaks", 3: "duplicates"}
    assert resolve(rows[:2]).dropped == {0: "leaks"}


def test_rows_left_out_take_no_part() -> None:
    result = resolve_repeats([1], ids="aa", labels="xy", sides=["train", "test"], policy="drop", rank=TEST_FIRST)
    assert result == Repeats({}, [])


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
