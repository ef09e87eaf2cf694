"""The share of held-out texts with a near duplicate, of all of them and of a sample, with kept chunks and without."""

import re

import pytest

from pipeline.checks.measure import Measure
from pipeline.checks.near import held_out
from pipeline.checks.near.held_out import measure_near_duplicates
from tests.given.validating import good_rows, make_chunks, make_params, make_table


def test_of_many_held_out_texts_a_sample_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = good_rows(train=200, validation=200, test=200)
    for at in range(100):
        rows[200 + at]["text"] = f"{rows[at]['text']} x"
    chunks = make_chunks(make_table(rows), 64)
    params = make_params(near_similarity=0.8)
    whole = measure_near_duplicates(chunks, params)
    assert whole == Measure(100 / 400, 100, (202, 203, 204, 205, 206))
    monkeypatch.setattr(held_out, "MOST_HELD_OUT", 2000)
    found = measure_near_duplicates(chunks, params)
    assert found.reason is not None
    drawn, texts = map(int, re.findall(r"\d+", found.reason))
    assert (texts, found.value) == (400, found.rows / drawn)
    assert 20 < drawn < 180
    assert 0 < found.rows < 60
    assert set(found.lines) < set(range(202, 302))
    assert measure_near_duplicates(make_chunks(make_table(rows[::-1])), params)[:2] == found[:2]  # whatever the order
