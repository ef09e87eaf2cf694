import itertools
import random

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks.duplicates import RECALL, choose_bands, find_near_duplicates, jaccard, mark_shared, shingles

SETTINGS = {"similarity": 0.8, "permutations": 128, "shingle": 3, "seed": 0}
WORDS = ["river", "stone", "cloud", "amber", "light", "field", "north", "glass"]


def _random_texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)  # test data
    return [" ".join(rng.choices(WORDS, k=rng.randint(2, 9))) for _ in range(count)]


def test_shared_marks_every_row_of_a_key_in_several_splits() -> None:
    keys = ["a", "b", "a", "c", "c", None, None]
    splits = ["train", "train", "test", "test", "test", "train", "test"]
    assert mark_shared(keys, splits) == [True, False, True, False, False, False, False]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["train", "test"]))))
def test_shared_is_what_pairs_of_rows_say(rows: list[tuple[str, str]]) -> None:
    expected = [any(key == other and split != side for other, side in rows) for key, split in rows]
    assert mark_shared([key for key, _ in rows], [split for _, split in rows]) == expected


def test_shingles_are_runs_of_the_folded_text() -> None:
    assert shingles("ABC  abd", 3) == {"abc", "bc ", "c a", " ab", "abd"}
    assert shingles("Ab", 3) == {"ab"}
    assert shingles("", 3) == {""}


def test_jaccard_by_hand() -> None:
    assert jaccard({"a", "b", "c"}, {"b", "c", "d"}) == 0.5
    assert jaccard({"a"}, {"a"}) == 1
    assert jaccard({"a"}, {"b"}) == 0


def test_near_duplicates_are_found_and_others_not() -> None:
    train = ["the quick brown fox jumps over the lazy dog", "an entirely different sentence about rivers"]
    test = [
        "The quick  brown fox jumps over the lazy dogs",
        "a third sentence",
        "AN ENTIRELY different sentence about rivers",
    ]
    assert find_near_duplicates(train, test, **SETTINGS) == [0, 2]


def test_nothing_has_no_near_duplicates() -> None:
    assert find_near_duplicates([], ["a b c"], **SETTINGS) == []
    assert find_near_duplicates(["a b c"], [], **SETTINGS) == []


@pytest.mark.parametrize("similarity", [0.5, 0.85, 1.0])
def test_near_duplicates_agree_with_all_pairs(similarity: float) -> None:
    train = _random_texts(100, 1)
    test = [f"{text[:cut]}{text[cut + 1 :]}" for cut, text in enumerate(train[:60])] + _random_texts(40, 2)
    sets = [shingles(text, 3) for text in train]
    exact = {
        position
        for position, parts in enumerate(shingles(text, 3) for text in test)
        if any(jaccard(parts, other) >= similarity for other in sets)
    }
    assert 1 <= len(exact) < 100
    for seed in (0, 1, 2**32 - 1):
        settings = {**SETTINGS, "similarity": similarity, "seed": seed}
        found = find_near_duplicates(train, test, **settings)
        assert set(found) <= exact  # never a false one
        assert len(found) >= RECALL * len(exact) - 1
        assert found == find_near_duplicates(train, test, **settings)


def test_order_of_train_is_no_matter() -> None:
    train, test = _random_texts(80, 3), _random_texts(80, 4)
    found = find_near_duplicates(train, test, **{**SETTINGS, "similarity": 0.5})
    assert found
    assert found == find_near_duplicates(train[::-1], test, **{**SETTINGS, "similarity": 0.5})


def test_sketches_estimate_the_exact_jaccard_similarity() -> None:
    texts = _random_texts(30, 5)
    sets = [shingles(text, 3) for text in texts]
    sketches = MinHash.bulk([[part.encode() for part in parts] for parts in sets], num_perm=512, seed=0)
    pairs = itertools.combinations(range(30), 2)
    errors = [sketches[i].jaccard(sketches[j]) - jaccard(sets[i], sets[j]) for i, j in pairs]
    assert np.sqrt(np.mean(np.square(errors))) < 1 / np.sqrt(512)


@given(st.floats(0.01, 1), st.integers(16, 512))
def test_bands_fit_and_recall(similarity: float, permutations: int) -> None:
    count, rows = choose_bands(similarity, permutations)
    assert count >= 2
    assert rows >= 1
    assert count * rows <= permutations
    assert rows == 1 or 1 - (1 - similarity**rows) ** count >= RECALL


def test_bands_of_the_defaults() -> None:
    assert choose_bands(0.85, 128) == (16, 8)
    assert choose_bands(1.0, 16) == (2, 8)
    assert choose_bands(0.05, 16) == (16, 1)
