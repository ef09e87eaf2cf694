import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks import shingles
from pipeline.checks.shingles import Shingles, hash_texts, join_shingles, order_within
from pipeline.examples.text import text_key

LETTERS = st.text(alphabet="ab Aß\U0001f642\ud800", max_size=12)


def runs(text: str, size: int) -> set[str]:
    """The definition: all runs of `size` characters of the key, or the whole of a shorter one."""
    key = text_key(text)
    return {key[start : start + size] for start in range(max(1, len(key) - size + 1))}


def sets_of(found: Shingles) -> list[set[int]]:
    ends = found.sizes.cumsum()
    return [set(found.hashes[end - size : end].tolist()) for end, size in zip(ends, found.sizes, strict=True)]


@given(st.lists(LETTERS, max_size=8), st.integers(2, 20))
def test_hashes_are_equal_if_and_only_if_the_runs_are(texts: list[str], size: int) -> None:
    found = join_shingles(hash_texts(texts, size))
    assert found.sizes.tolist() == [len(runs(text, size)) for text in texts]
    sets = sets_of(found)
    for text, own in zip(texts, sets, strict=True):
        for other, theirs in zip(texts, sets, strict=True):
            assert len(own & theirs) == len(runs(text, size) & runs(other, size))


def test_shingles_are_runs_of_the_folded_text() -> None:
    (found,) = hash_texts(["ABC  abd", "Ab", "", "abc"], 3)
    assert found.sizes.tolist() == [5, 1, 1, 1]
    whole, short, empty, three = sets_of(found)
    assert three < whole
    assert not short & whole
    assert not empty & short


@pytest.mark.parametrize("chars", [1, 7, 10**6])
def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch, chars: int) -> None:
    texts = ["the quick fox", "", "jumps", "over the lazy dog"] * 3
    whole = join_shingles(hash_texts(texts, 4))
    monkeypatch.setattr(shingles, "CHARS_AT_A_TIME", chars)
    parts = list(hash_texts(texts, 4))
    assert (len(parts) > 1) == (chars < 100)
    again = join_shingles(parts)
    assert (again.hashes == whole.hashes).all()
    assert (again.sizes == whole.sizes).all()


@given(st.lists(st.tuples(st.integers(0, 299), st.integers(0, 2**64 - 1) | st.integers(0, 3))))
def test_the_order_is_that_of_lexsort(pairs: list[tuple[int, int]]) -> None:
    owners, values = (
        np.array([owner for owner, _ in pairs], np.int64),
        np.array([value for _, value in pairs], np.uint64),
    )
    found, expected = order_within(owners, values, 300), np.lexsort((values, owners))
    assert owners[found].tolist() == owners[expected].tolist()
    assert values[found].tolist() == values[expected].tolist()
