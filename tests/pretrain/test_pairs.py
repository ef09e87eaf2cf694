"""Pairs as the published procedures make them, and what must hold of every example."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.pretrain.pairs import (
    DRAW,
    NO_PAIR,
    CorpusLayout,
    cut_single_texts,
    draw_instances,
    draw_next_sentence_pairs,
    draw_sentence_order_pairs,
)

DOCUMENTS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=2, max_size=8)


def layout(documents: list[list[int]]) -> CorpusLayout:
    lengths = [length for document in documents for length in document]
    counts = [len(document) for document in documents]
    return CorpusLayout(*(np.concatenate([[0], np.cumsum(one)]).astype(np.int64) for one in (lengths, counts)))


def document_of(where: CorpusLayout, token: int) -> int:
    sentence = int(np.searchsorted(where.sentences, token, side="right")) - 1
    return int(np.searchsorted(where.documents, sentence, side="right")) - 1


@given(DOCUMENTS, st.sampled_from(["none", "nsp", "sop"]), st.integers(4, 40), st.integers(0, 99))
def test_every_text_comes_from_its_document_and_fits(documents, kind, room, seed):
    where = layout(documents)
    instances = draw_instances(where, kind, room=room, short=0.1, seed=seed, epoch=0)
    again = draw_instances(where, kind, room=room, short=0.1, seed=seed, epoch=0)
    assert all(np.array_equal(column, other) for column, other in zip(instances, again, strict=True))
    for (a0, a1, b0, b1), label, owner in zip(
        instances.spans.tolist(), instances.labels, instances.owners, strict=True
    ):
        assert a0 < a1
        assert a1 - a0 + b1 - b0 <= room
        assert document_of(where, a0) == document_of(where, a1 - 1) == owner
        if label == NO_PAIR:
            assert b0 == b1
            continue
        if b0 == b1:  # cut to nothing is no pair of texts
            continue
        assert document_of(where, b0) == document_of(where, b1 - 1)
        if kind == "sop":
            assert document_of(where, b0) == owner
            assert (a1 <= b0) if label == 0 else (b1 <= a0)
        elif label == 0:
            assert document_of(where, b0) == owner
            assert a1 <= b0
        else:
            assert document_of(where, b0) != owner


@given(DOCUMENTS, st.integers(3, 30), st.integers(0, 99))
def test_single_texts_leave_no_token_out(documents, room, seed):
    instances = draw_instances(layout(documents), "none", room=room, short=0.0, seed=seed, epoch=seed)
    tokens = [token for a0, a1, _, _ in instances.spans.tolist() for token in range(a0, a1)]
    assert tokens == list(range(sum(map(sum, documents))))
    assert set(instances.labels.tolist()) == {NO_PAIR}


def test_another_epoch_and_seed_draw_others_and_a_document_does_not_depend_on_the_order_of_drawing():
    where = layout([[3, 4, 5, 6, 7] * 4] * 6)
    first = draw_instances(where, "nsp", room=30, short=0.1, seed=0, epoch=0)
    for changed in ({"seed": 1, "epoch": 0}, {"seed": 0, "epoch": 1}):
        assert not np.array_equal(first.spans, draw_instances(where, "nsp", room=30, short=0.1, **changed).spans)
    alone = draw_next_sentence_pairs(where, 4, room=30, short=0.1, rng=np.random.default_rng([DRAW, 0, 0, 4]))
    assert [row[:4] for row in alone] == [tuple(row) for row in first.spans[first.owners == 4].tolist()]


def test_what_is_swapped_is_labelled_and_nothing_else_differs():
    """Of one document and one cut, the swapped pair is the other one with its texts exchanged."""
    where = layout([[5, 5], [5, 5]])
    seen = {
        tuple(draw_sentence_order_pairs(where, 0, room=20, short=0.0, rng=np.random.default_rng(seed))[0])
        for seed in range(40)
    }
    assert seen == {(0, 5, 5, 10, 0), (5, 10, 0, 5, 1)}


def test_a_lone_sentence_has_no_order_and_gets_a_random_next_one():
    where = layout([[6], [4, 4, 4]])
    assert draw_sentence_order_pairs(where, 0, room=20, short=0.0, rng=np.random.default_rng(0)) == [
        (0, 6, 6, 6, NO_PAIR)
    ]
    ((_, _, b0, _, label),) = draw_next_sentence_pairs(where, 0, room=20, short=0.0, rng=np.random.default_rng(0))
    assert (label, document_of(where, b0)) == (1, 1)


def test_a_random_second_text_is_of_another_document_however_few_there_are():
    where = layout([[6], [4]])
    drawn = [
        draw_next_sentence_pairs(where, 0, room=20, short=0.0, rng=np.random.default_rng(seed)) for seed in range(5000)
    ]
    assert {tuple(row) for pairs in drawn for row in pairs} == {(0, 6, 6, 10, 1)}


def test_a_long_document_is_cut_at_a_drawn_place():
    where = layout([[1000], [1]])
    first = {
        cut_single_texts(where, 0, room=50, short=0.0, rng=np.random.default_rng(seed))[0][1] for seed in range(30)
    }
    assert len(first) > 10


# ------------------------------------------------------------------------- the published procedures, token by token
def truncate(a: list, b: list, most: int, rng: random.Random) -> None:
    while len(a) + len(b) > most:
        longer = a if len(a) > len(b) else b
        if rng.random() < 0.5:
            del longer[0]
        else:
            longer.pop()


def published(documents: list, index: int, most: int, short: float, rng: random.Random, *, order: bool) -> list:
    """Be create_instances_from_document of BERT and, with `order`, of ALBERT: lists of tokens, chunk by chunk."""
    document, room = documents[index], most - 3
    target = rng.randint(2, room) if rng.random() < short else room
    made, chunk, length, i = [], [], 0, 0
    while i < len(document):
        chunk.append(document[i])
        length += len(document[i])
        if i == len(document) - 1 or length >= target:
            end = rng.randint(1, len(chunk) - 1) if len(chunk) >= 2 else 1
            a = [token for sentence in chunk[:end] for token in sentence]
            b, label = [token for sentence in chunk[end:] for token in sentence], 0
            if len(chunk) == 1 or (not order and rng.random() < 0.5):
                b, label = [], 1
                other = index
                for _ in range(10):
                    other = rng.randint(0, len(documents) - 1)
                    if other != index:
                        break
                for sentence in documents[other][rng.randint(0, len(documents[other]) - 1) :]:
                    b.extend(sentence)
                    if len(b) >= target - len(a):
                        break
                if not order:
                    i -= len(chunk) - end
            elif order and rng.random() < 0.5:
                a, b, label = b, a, 1
            truncate(a, b, room, rng)
            made.append((len(a), len(b), label, len(chunk)))
            chunk, length = [], 0
        i += 1
    return made


@pytest.mark.parametrize("kind", ["nsp", "sop"])
def test_lengths_and_labels_are_distributed_as_in_the_published_procedure(kind):
    rng = np.random.default_rng(0)
    shapes = [rng.integers(2, 30, rng.integers(2, 40)).tolist() for _ in range(300)]
    documents = [[[0] * length for length in shape] for shape in shapes]
    theirs = [
        row
        for seed in range(4)
        for index in range(len(documents))
        for row in published(documents, index, 64, 0.1, random.Random(1000 * seed + index), order=kind == "sop")
        if kind == "nsp" or row[3] > 1  # a lone sentence has no order: the one difference, and it is documented
    ]
    epochs = [draw_instances(layout(shapes), kind, room=61, short=0.1, seed=seed, epoch=0) for seed in range(4)]
    spans, labels = (np.concatenate(columns) for columns in list(zip(*epochs, strict=True))[:2])
    spans, labels = spans[labels != NO_PAIR], labels[labels != NO_PAIR]
    a, b = spans[:, 1] - spans[:, 0], spans[:, 3] - spans[:, 2]
    columns = np.array(theirs)
    assert abs(len(a) - len(columns)) < 4 * np.sqrt(len(columns))
    for ours, expected in ((a, columns[:, 0]), (b, columns[:, 1]), (a + b, columns[:, 0] + columns[:, 1])):
        assert stats.ks_2samp(ours, expected).pvalue > 1e-4
    share, expected = labels.mean(), columns[:, 2].mean()
    assert abs(share - expected) < 4 * np.sqrt(0.5 / len(labels))
    assert 0.45 < share < 0.6
