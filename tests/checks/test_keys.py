import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks.keys import find_first, find_repeated, find_shared, hash_keys, join_hashes, mark_keys
from tests.given.validating import make_chunks

KEYS = st.lists(st.sampled_from(["a", "b", "\ud800", "", None]))


def test_a_key_in_several_splits_is_shared_by_all_its_rows() -> None:
    hashes = hash_keys(["a", "b", "a", "c", "c", None, None])
    assert find_shared(hashes, np.array([0, 0, 1, 1, 1, 0, 1])).tolist() == [0, 2]
    assert find_repeated(hashes).tolist() == [0, 2, 3, 4]
    assert find_first(hashes).tolist() == [0, 1, 3, 5]


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "", None]), st.sampled_from([0, 1, 2]))))
def test_they_are_what_pairs_of_rows_say(rows: list[tuple[str | None, int]]) -> None:
    keys = [key for key, _ in rows]
    hashes = hash_keys(keys)
    present = [(at, key, split) for at, (key, split) in enumerate(rows) if key is not None]
    shared = [at for at, key, split in present if any(key == other and split != side for other, side in rows)]
    assert find_shared(hashes, np.array([side for _, side in rows], np.int64)).tolist() == shared
    assert find_repeated(hashes).tolist() == [at for at, key, _ in present if keys.count(key) > 1]
    assert find_first(hashes).tolist() == [at for at, key in enumerate(keys) if key not in keys[:at]]


@given(KEYS, KEYS)
def test_parts_hash_as_the_whole(left: list[str | None], right: list[str | None]) -> None:
    assert join_hashes([hash_keys(left), hash_keys(right)]).tolist() == hash_keys([*left, *right]).tolist()
    assert hash_keys(left).dtype == np.uint64


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_leaks_are_seen_by_text_and_by_id(rows: int) -> None:
    table = pa.table(
        {
            "id": ["a", "b", "c", "d", "b", "e", "e", None, None],
            "split": ["train", "train", "train", "test", "test", "test", "test", "train", None],
            "text": ["One  text", "two", "three", "one TEXT", "four", "five", "five", None, "three"],
            "row": pa.array(range(9)),
        }
    )
    read = pa.concat_tables(mark_keys(make_chunks(table, rows), ("id", "text")).read("leaked", "repeated"))
    assert read["repeated"].to_pylist() == [at in (1, 4, 5, 6) for at in range(9)]
    assert read["leaked"].to_pylist() == [at in (0, 1, 2, 3, 4, 8) for at in range(9)]
    by_id = pa.concat_tables(mark_keys(make_chunks(table, rows), ("id",)).read("leaked"))
    assert by_id["leaked"].to_pylist() == [at in (1, 4) for at in range(9)]
