import random
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.checks.near import candidates
from pipeline.checks.near.duplicates import NearDuplicates, find_near_duplicates, find_near_pairs
from tests.checks.near.test_shingles import runs

SETTINGS = {"similarity": 0.8, "shingle": 3}
WORDS = ["river", "stone", "cloud", "amber", "light", "field", "north", "glass"]


def random_texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)  # test data
    return [" ".join(rng.choices(WORDS, k=rng.randint(2, 9))) for _ in range(count)]


def tickets(count: int, seed: int) -> list[str]:
    """Texts that share a template and are 0.6 to 0.75 alike, as tickets and mails are."""
    rng = random.Random(seed)  # test data
    names = ["".join(rng.choices("bcdfghklmnprstvw", k=8)) for _ in range(count)]
    return [
        f"Dear support, my order {rng.randrange(10**8)} to {rng.choice(names)} has not arrived, regards {name}"
        for name in names
    ]


def find_exactly(train: Sequence[str], held_out: Sequence[str], *, similarity: float, shingle: int) -> list[int]:
    """Compare all pairs."""
    sets = [runs(text, shingle) for text in train]
    return [
        position
        for position, own in enumerate(runs(text, shingle) for text in held_out)
        if any(len(own & other) / len(own | other) >= similarity for other in sets)
    ]


def test_near_duplicates_are_found_and_others_not() -> None:
    train = ["the quick brown fox jumps over the lazy dog", "an entirely different sentence about rivers"]
    test = [
        "The quick  brown fox jumps over the lazy dogs",
        "a third sentence",
        "AN ENTIRELY different sentence about rivers",
    ]
    assert find_near_duplicates(train, test, **SETTINGS) == NearDuplicates([0, 2], 0)


def test_nothing_has_no_near_duplicates() -> None:
    assert find_near_duplicates([], ["a b c"], **SETTINGS) == NearDuplicates([], 0)
    assert find_near_duplicates(["a b c"], [], **SETTINGS) == NearDuplicates([], 0)
    assert find_near_duplicates([], [], **SETTINGS) == NearDuplicates([], 0)


SHORT = st.lists(st.text(alphabet="ab ", max_size=14), max_size=12)


@settings(max_examples=300)
@given(SHORT, SHORT, st.sampled_from([0.01, 1 / 3, 0.5, 0.55, 0.8, 0.85, 1.0]), st.integers(2, 5))
def test_they_are_those_of_all_pairs(train: list[str], held_out: list[str], similarity: float, shingle: int) -> None:
    how = {"similarity": similarity, "shingle": shingle}
    assert find_near_duplicates(train, held_out, **how) == NearDuplicates(find_exactly(train, held_out, **how), 0)


@settings(max_examples=300)
@given(SHORT, st.sampled_from([1 / 3, 0.5, 0.85, 1.0]), st.integers(2, 5))
def test_pairs_are_those_of_all_pairs(texts: list[str], similarity: float, shingle: int) -> None:
    sets = [runs(text, shingle) for text in texts]
    expected = [
        (left, right)
        for right in range(len(sets))
        for left in range(right)
        if len(sets[left] & sets[right]) / len(sets[left] | sets[right]) >= similarity
    ]
    assert find_near_pairs(texts, similarity=similarity, shingle=shingle) == sorted(expected)


@pytest.mark.parametrize("make", [random_texts, tickets])
@pytest.mark.parametrize("similarity", [0.5, 0.85, 1.0])
def test_they_are_those_of_all_pairs_of_longer_texts(make, similarity: float) -> None:
    train = make(200, 1)
    held_out = [f"{text[:cut]}{text[cut + 1 :]}" for cut, text in enumerate(train[:60])] + make(100, 2)
    how = {"similarity": similarity, "shingle": 3}
    exact = find_exactly(train, held_out, **how)
    positions, cut = find_near_duplicates(train, held_out, **how)
    assert positions == exact == find_near_duplicates(train[::-1], held_out, **how).positions
    assert not cut or similarity < 0.8  # at which one text is like a hundred others


def families(count: int, pairs: Sequence[tuple[int, int]]) -> int:
    """Return the number of texts that no chain of pairs connects."""
    matrix = coo_array((np.ones(len(pairs)), np.array(pairs, np.int64).reshape(-1, 2).T), shape=(count, count))
    return int(connected_components(matrix, directed=False)[0])


def nearly_equal(count: int, *ends: str) -> list[str]:
    """Return texts that differ in some of their last letters."""
    rng = random.Random(7)  # test data
    start = "the order that I placed three weeks ago has still not arrived at my door, please look into it "
    return [start + rng.choice(ends) + "".join(rng.choices("abcdefghij", k=4)) for _ in range(count)]


@pytest.mark.parametrize(
    ("texts", "looked_at"),
    [(nearly_equal(150, ""), 4096), (nearly_equal(300, "qrst ", "uvwx ", "yzkl "), 4096), (nearly_equal(400, ""), 50)],
)
def test_a_large_group_of_near_duplicates_is_connected(monkeypatch, texts: list[str], looked_at: int) -> None:
    monkeypatch.setattr(candidates, "MOST_LOOKED_AT", looked_at)
    pairs = find_near_pairs(texts, similarity=0.8, shingle=5)
    assert families(len(texts), pairs) == 1
    sets = [runs(text, 5) for text in texts]
    assert pairs == sorted({(left, right) for left, right in pairs if left < right})
    for left, right in pairs:
        assert len(sets[left] & sets[right]) / len(sets[left] | sets[right]) >= 0.8


def test_each_text_keeps_its_likeliest_pairs_whether_it_stands_before_or_after_them() -> None:
    pairs = find_near_pairs(nearly_equal(150, ""), similarity=0.8, shingle=5)
    assert np.bincount(np.ravel(pairs)).min() >= candidates.MOST_CANDIDATES - 1  # one is the text itself


def count_comparisons(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    compared, real = [], candidates.SketchIndex.list_candidates

    def watched(*arguments):
        pairs = real(*arguments)
        compared.append(len(pairs[0]))
        return pairs

    monkeypatch.setattr(candidates.SketchIndex, "list_candidates", watched)
    return compared


def test_texts_of_a_template_are_hardly_ever_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is alike to all others, just below the limit, so the square of their number would be compared."""
    compared = count_comparisons(monkeypatch)
    texts = tickets(2000, 3)
    assert find_near_duplicates(texts[:1500], texts[1500:], similarity=0.85, shingle=5) == NearDuplicates([], 0)
    assert sum(compared) < len(texts)


def test_beyond_the_limits_the_likeliest_are_compared_and_the_cut_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    train, held_out = random_texts(400, 5), random_texts(100, 6)
    exact = find_exactly(train, held_out, **SETTINGS)
    assert find_near_duplicates(train, held_out, **SETTINGS) == NearDuplicates(exact, 0)
    monkeypatch.setattr(candidates, "MOST_LOOKED_AT", 100)
    monkeypatch.setattr(candidates, "MOST_CANDIDATES", 4)
    compared = count_comparisons(monkeypatch)
    positions, cut = find_near_duplicates(train, held_out, **SETTINGS)
    assert 0 < cut <= 400
    assert sum(compared) <= 4 * 400
    assert set(positions) <= set(exact)
    assert len(positions) > 0.7 * len(exact)


def test_memory_is_some_bytes_a_shingle() -> None:
    """Strings in sets take 60 bytes a shingle, and as many again for the sets."""
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdefgh  "), 1300)) for _ in range(300)]
    tracemalloc.start()
    find_near_duplicates(texts[:100], texts[100:], similarity=0.85, shingle=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 70 * 200 * 1300
