"""Masking: the rates, the units, and what may never be hidden."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pretrain.masking import CHOOSE, IGNORED, SPAN_CHANCES, Mix, mask
from pipeline.pretrain.vocabulary import Vocabulary

V = 100
SPECIAL = np.arange(5)
BEGINS = np.arange(V) % 3 != 0  # a third of the tokens go on with a word
VOCABULARY = Vocabulary(4, 0, 2, 3, SPECIAL, np.arange(5, V), BEGINS)
BERT = Mix("token", 0.15, 0.8, 0.1)
TOKENS = st.lists(st.integers(5, V - 1), min_size=0, max_size=60).map(
    lambda body: np.array([2, *body[:20], 3, *body[20:], 3], np.int32)
)
UNITS = st.sampled_from(["token", "word", "span"])


@given(TOKENS, UNITS, st.floats(0.05, 0.6), st.integers(0, 999))
def test_only_ordinary_tokens_are_predicted_and_all_else_stays(tokens, unit, share, seed):
    mix = BERT._replace(unit=unit, share=share)
    read, labels = mask(tokens, VOCABULARY, mix, np.random.default_rng(seed))
    again = mask(tokens, VOCABULARY, mix, np.random.default_rng(seed))
    assert read.tobytes() == again[0].tobytes()
    assert labels.tobytes() == again[1].tobytes()
    hidden = labels != IGNORED
    assert not np.isin(tokens[hidden], SPECIAL).any()
    assert np.array_equal(labels[hidden], tokens[hidden])
    assert np.array_equal(read[~hidden], tokens[~hidden])
    assert set(read[hidden & (read != tokens)]) <= {4, *range(5, V)}
    ordinary = int((~np.isin(tokens, SPECIAL)).sum())
    budget = min(ordinary, max(1, round(len(tokens) * share)))
    assert hidden.sum() <= budget
    if unit != "word":
        assert hidden.sum() == budget


def mask_rows(mix: Mix, count: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    rows = [np.array([2, *rng.integers(5, V, 38), 3], np.int32) for _ in range(count)]
    read, labels = zip(
        *(mask(row, VOCABULARY, mix, np.random.default_rng([1, place])) for place, row in enumerate(rows)), strict=True
    )
    return np.array(rows), np.array(read), np.array(labels)


@pytest.mark.parametrize("unit", ["token", "word"])
def test_the_rates_are_within_four_sigma(unit):
    rows, read, labels = mask_rows(BERT._replace(unit=unit))
    hidden = labels != IGNORED
    if unit == "token":
        assert (hidden.sum(axis=1) == 6).all()  # 0.15 of 40
        places = hidden[:, 1:-1].mean(axis=0)  # and every place is as likely as any other
        assert np.abs(places - 6 / 38).max() < 4 * np.sqrt(6 / 38 * 32 / 38 / len(rows))
    count = hidden.sum()
    random_hit = 1 / 95  # a random token may be the one that was there
    for share, expected in (
        ((read[hidden] == 4).mean(), 0.8),
        ((read[hidden] == rows[hidden]).mean(), 0.1 + 0.1 * random_hit),
        (((read != rows) & (read != 4))[hidden].mean(), 0.1 * (1 - random_hit)),
    ):
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / count)


def test_whole_words_are_hidden_whole():
    rows, _, labels = mask_rows(BERT._replace(unit="word"))
    hidden = labels != IGNORED
    goes_on = ~BEGINS[rows[:, 2:-1]]  # the first ordinary token begins a word wherever it stands
    assert np.array_equal(hidden[:, 2:-1][goes_on], hidden[:, 1:-2][goes_on])
    assert hidden.sum(axis=1).mean() > 5.5


def test_spans_are_long_and_meet_one_fate():
    _, read, labels = mask_rows(Mix("span", 0.3, 1.0, 0.0), count=500)
    hidden = labels != IGNORED
    assert (read[hidden] == 4).all()
    runs = np.diff(np.concatenate([np.zeros((500, 1)), hidden], axis=1), axis=1).clip(0).sum()
    assert hidden.sum() / runs > 2.5
    _, read, labels = mask_rows(Mix("span", 0.12, 0.5, 0.0), count=500)
    hidden = labels != IGNORED
    pairs = hidden[:, 1:] & hidden[:, :-1]
    same = ((read[:, 1:] == 4) == (read[:, :-1] == 4))[pairs].mean()
    assert same > 0.8  # independent fates would give one half


def test_spans_have_the_lengths_of_the_paper():
    chances = np.diff(SPAN_CHANCES, prepend=0.0)
    assert len(chances) == 10
    assert np.allclose(chances[1:] / chances[:-1], 0.8)
    assert abs(chances @ np.arange(1, 11) - 3.8) < 0.01


@given(TOKENS, st.integers(1, 30), st.integers(0, 999))
def test_no_span_goes_over_a_special_token(tokens, budget, seed):
    ordinary = np.flatnonzero(tokens >= 5)
    if not len(ordinary):
        return
    budget = min(budget, len(ordinary))
    for span in CHOOSE["span"](tokens, ordinary, VOCABULARY, budget, np.random.default_rng(seed)):
        assert np.isin(np.arange(span[0], span[-1] + 1), ordinary).all()


@pytest.mark.parametrize("unit", ["token", "word", "span"])
def test_a_text_of_special_tokens_hides_nothing(unit):
    tokens = np.array([2, 3], np.int32)
    read, labels = mask(tokens, VOCABULARY, BERT._replace(unit=unit), np.random.default_rng(0))
    assert np.array_equal(read, tokens)
    assert (labels == IGNORED).all()


def test_a_word_longer_than_all_that_may_be_hidden_is_cut():
    tokens = np.array([2, 7, *[9] * 10, 3], np.int32)  # 9 goes on with the word
    _, labels = mask(tokens, VOCABULARY, BERT._replace(unit="word"), np.random.default_rng(0))
    assert (labels != IGNORED).sum() == 2
