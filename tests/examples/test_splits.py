import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.records import Records
from pipeline.examples.splits import (
    check_complete,
    deal_validation,
    hash_to_unit,
    read_groups,
    split_by_column,
    split_by_hash,
)
from pipeline.settings.fields import Split
from pipeline.settings.ingest import Shares
from tests.given.ingesting import make_records

SHARES = Shares(train=0.8, validation=0.1, test=0.1)


def column(*cells: str | None) -> Records:
    return make_records({"c": list(cells)}, range(2, len(cells) + 2))


@given(st.lists(st.text()), st.text(), st.randoms())
def test_a_side_depends_on_the_value_alone(values: list[str], salt: str, random: object) -> None:
    sides = dict(zip(values, split_by_hash(values, salt=salt, shares=SHARES), strict=True))
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    some = shuffled[: len(shuffled) // 2]
    assert dict(zip(shuffled, split_by_hash(shuffled, salt=salt, shares=SHARES), strict=True)) == sides
    assert all(
        side == sides[value] for value, side in zip(some, split_by_hash(some, salt=salt, shares=SHARES), strict=True)
    )


@given(st.text(), st.text())
def test_positions_lie_in_the_half_open_unit_interval(value: str, salt: str) -> None:
    assert 0 <= hash_to_unit(value, salt=salt) < 1


def test_positions_are_pinned() -> None:
    assert hash_to_unit("good film", salt="transferline") == pytest.approx(0.9976385, abs=1e-7)


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.34, 0.33, 0.33)])
def test_shares_are_met_within_four_sigma(shares: tuple[float, float, float]) -> None:
    count = 20_000
    wanted = dict(zip(("train", "validation", "test"), shares, strict=True))
    counts = Counter(split_by_hash((f"text {n}" for n in range(count)), salt="s", shares=Shares(**wanted)))
    for split, share in wanted.items():
        assert abs(counts[split] - count * share) < 4 * math.sqrt(count * share * (1 - share))


def test_another_salt_deals_another_split() -> None:
    values = [f"text {n}" for n in range(200)]
    assert split_by_hash(values, salt="a", shares=SHARES) != split_by_hash(values, salt="b", shares=SHARES)


def test_groups_are_stripped_and_must_be_there() -> None:
    assert read_groups(column(" u1", "u1 ", "cafe\u0301"), "c") == ["u1", "u1", "caf\u00e9"]
    with pytest.raises(DataError, match=r"f\.csv:3: column 'c': 2 row\(s\) without a group \(line 3, 4\)"):
        read_groups(column("u1", " ", None), "c")


def test_given_splits_are_read_as_they_are() -> None:
    assert split_by_column(column("train", " test", "validation"), "c") == ["train", "test", "validation"]


@pytest.mark.parametrize(
    ("value", "hint"),
    [("dev", "'validation' for 'dev'"), ("val", "'validation'"), ("Train", "'train' for 'Train'"), ("eval", "'test'")],
)
def test_another_split_is_refused_with_the_likely_one(value: str, hint: str) -> None:
    with pytest.raises(DataError, match=f"Allowed are train, validation, test.*Did you mean {hint}"):
        split_by_column(column("train", value), "c")


def test_an_unknown_split_is_refused_without_a_guess() -> None:
    with pytest.raises(DataError, match=r"1 row\(s\) with another split \(line 2\): 'holdout'") as caught:
        split_by_column(column("holdout"), "c")
    assert "Did you mean" not in str(caught.value)


def test_all_three_splits_must_have_rows() -> None:
    check_complete({"train": 1, "validation": 1, "test": 1}, file="f")
    with pytest.raises(DataError, match="no rows in validation and test; rows kept: train 1, validation 0, test 0"):
        check_complete({"train": 1, "validation": 0, "test": 0}, file="f")


@given(st.lists(st.text()), st.text(), st.randoms())
def test_validation_is_dealt_out_of_train_by_the_text_alone(keys: list[str], salt: str, random: object) -> None:
    sides: list[Split] = ["train" if len(key) % 2 else "test" for key in keys]
    dealt = deal_validation(sides, keys, salt=salt, shares=SHARES)
    assert [side for side in dealt if side == "test"] == [side for side in sides if side == "test"]
    by_key = dict(zip(keys, dealt, strict=True))
    random.shuffle(keys)  # type: ignore[attr-defined]
    sides = ["train" if len(key) % 2 else "test" for key in keys]
    assert dict(zip(keys, deal_validation(sides, keys, salt=salt, shares=SHARES), strict=True)) == by_key


def test_the_dealt_validation_has_its_part_of_the_two_shares() -> None:
    keys = [f"text {n}" for n in range(20_000)]
    count = deal_validation(["train"] * len(keys), keys, salt="s", shares=SHARES).count("validation")
    assert abs(count - 20_000 / 9) < 4 * math.sqrt(20_000 * 8 / 81)
