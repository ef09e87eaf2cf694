import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks.near import shingles
from pipeline.checks.near.shingles import Shingles, batch_texts, collect_shingles, hash_texts
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
    found = hash_texts(texts, size)
    assert found.sizes.tolist() == [len(runs(text, size)) for text in texts]
    sets = sets_of(found)
    for text, own in zip(texts, sets, strict=True):
        for other, theirs in zip(texts, sets, strict=True):
            assert len(own & theirs) == len(runs(text, size) & runs(other, size))


def test_shingles_are_runs_of_the_folded_text() -> None:
    found = hash_texts(["ABC  abd", "Ab", "", "abc"], 3)
    assert found.sizes.tolist() == [5, 1, 1, 1]
    whole, short, empty, three = sets_of(found)
    assert three < whole
    assert not short & whole
    assert not empty & short


@pytest.mark.parametrize(("chars", "rows"), [(1, 100), (7, 100), (10**6, 5), (10**6, 100)])
def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch, chars: int, rows: int) -> None:
    texts = ["the quick fox", "", "jumps", "over the lazy dog"] * 3
    whole = hash_texts(texts, 4)
    monkeypatch.setattr(shingles, "BATCH_CHARS", chars)
    monkeypatch.setattr(shingles, "BATCH_KEYS", rows)
    assert (len(list(batch_texts(texts, 4))) > 1) == (chars < 100 or rows < 100)
    again = hash_texts(texts, 4)
    assert (again.hashes == whole.hashes).all()
    assert (again.sizes == whole.sizes).all()


@given(st.lists(LETTERS, min_size=1, max_size=8), st.data())
def test_sets_are_taken_in_any_order(texts: list[str], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(texts) - 1)))
    whole = sets_of(hash_texts(texts, 3))
    assert sets_of(hash_texts(texts, 3).take(np.array(places, np.int64))) == [whole[at] for at in places]


def test_no_keys_have_no_shingles() -> None:
    assert [len(own) for own in collect_shingles([], 3)] == [0, 0]
