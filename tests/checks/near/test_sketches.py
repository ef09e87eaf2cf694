import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks.near.shingles import batch_texts, hash_texts
from pipeline.checks.near.sketches import (
    SHARED,
    join_sketches,
    pack_sketches,
    rank_shingles,
    sketch_keys,
    sketch_texts,
    unpack_sketches,
)
from tests.checks.near.test_shingles import runs

TEXTS = st.lists(st.text(alphabet="abc ", max_size=40), max_size=10)
HOW = {"similarity": 0.7, "size": 3}


def sets_of(sketches):
    ends = np.cumsum(sketches.counts)
    return [{*sketches.hashes[end - count : end].tolist()} for end, count in zip(ends, sketches.counts, strict=True)]


@given(TEXTS, TEXTS)
def test_near_duplicates_share_as_much_of_their_sketches_as_they_promise(texts, others):
    own = sketch_texts(texts, rank_shingles(hash_texts(others, 3)), **HOW)
    sets, sketches = [runs(text, 3) for text in texts], sets_of(own)
    assert own.sizes.tolist() == [len(each) for each in sets]
    for left in range(len(texts)):
        for right in range(left):
            if len(sets[left] & sets[right]) >= 0.7 * len(sets[left] | sets[right]):
                wanted = min(own.wanted[left], own.wanted[right])
                assert len(sketches[left] & sketches[right]) >= wanted >= 1


def test_a_sketch_has_the_rarest_shingles():
    common = "the order has not arrived"
    ranks = rank_shingles(hash_texts([f"{common} {number}" for number in range(50)], 3))
    own = sketch_texts([f"{common} zebra quince"], ranks, similarity=0.8, size=3)
    (kept,) = sets_of(own)
    rare = sketch_texts(["zebra quince"], ranks, similarity=0.01, size=3)
    assert sets_of(rare)[0] <= kept
    assert own.counts.tolist() == [own.sizes[0] - own.least[0] + SHARED]
    assert len(kept) < own.sizes[0]


def test_ranks_rise_with_the_texts_that_have_a_shingle():
    texts = hash_texts([*(["aaa"] * 9), *(["bbb"] * 2), "ccc"], 3)
    ranks = rank_shingles(texts)
    used = [int(ranks[own >> np.uint64(64 - 20)]) for own in (texts.hashes[0], texts.hashes[9], texts.hashes[11])]
    assert used == sorted(used, reverse=True)
    assert len({*used}) == 3
    assert min(used) > ranks.min() == 0


@given(TEXTS)
def test_sketches_come_back_as_they_were_packed(texts):
    ranks = rank_shingles(hash_texts(texts, 3))
    own = sketch_texts(texts, ranks, **HOW)
    back = unpack_sketches(pack_sketches(own))
    assert [column.tolist() for column in back] == [column.tolist() for column in own]
    parts = [sketch_keys(keys, ranks, **HOW) for text in texts for keys in batch_texts([text], 3)]
    assert [column.tolist() for column in join_sketches(parts)] == [column.tolist() for column in own]
