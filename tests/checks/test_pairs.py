"""Pairs of texts: both count as the text, and a text of either side that train has is counted."""

import pyarrow as pa
import pytest

from pipeline.checks.measures import profile_train
from pipeline.checks.pairs import join_pairs, measure_shared
from pipeline.core.tables import describe
from pipeline.settings.shared.texts import PAIR
from tests.given.validating import make_chunks

TRAIN = [("one", "two"), ("three", None)]


def pairs(held_out):
    rows = [*TRAIN, *held_out]
    table = {
        "split": ["train"] * len(TRAIN) + ["test"] * len(held_out),
        "text": [first for first, _ in rows],
        PAIR: [second for _, second in rows],
        "label": [0] * len(rows),
        "row": range(1, len(rows) + 1),
    }
    return make_chunks(describe(pa.table(table), task="t", labels=("a",)), rows=2)


@pytest.mark.parametrize(
    ("pair", "shared"),
    [
        (("one", "new"), True),
        (("new", "two"), True),
        (("two", "new"), True),  # of the other side in train
        (("new", "ONE"), True),  # by its key
        (("new", "newer"), False),
        (("new", None), False),  # a missing text is none that train has too
        ((None, "new"), False),
    ],
)
def test_a_text_of_either_side_that_train_has_is_shared(pair, shared):
    measure = measure_shared(pairs([("other", "text"), pair]))
    assert (measure.value, measure.rows, measure.lines) == ((0.5, 1, (4,)) if shared else (0.0, 0, ()))


def test_both_texts_of_a_pair_are_its_text():
    chunks = pairs([("four", "five")])
    assert [*join_pairs(chunks).values("text")] == ["one\ntwo", None, "four\nfive"]
    assert [*chunks.values("text")] == ["one", "three", "four"]


def test_the_words_of_both_texts_are_in_the_profile():
    long = describe(
        pa.table({"split": ["train"], "text": ["a b c"], PAIR: ["d e f g"], "label": [0]}), task="t", labels=("a",)
    )
    single = describe(pa.table({"split": ["train"], "text": ["a b c d e f g"], "label": [0]}), task="t", labels=("a",))
    assert profile_train(make_chunks(long)) == profile_train(make_chunks(single))
