from functools import partial

import numpy as np
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.predict.logits import compute_in_batches, pad_batch, softmax

ROWS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), max_size=40)


@given(ROWS)
def test_padding_is_on_the_right_and_masked(rows):
    arrays = pad_batch(rows, 7)
    ids, mask = arrays["input_ids"], arrays["attention_mask"]
    assert ids.dtype == mask.dtype == np.int64
    assert ids.shape == mask.shape == (len(rows), max(map(len, rows), default=0))
    for row, padded, real in zip(rows, ids.tolist(), mask.tolist(), strict=True):
        assert padded == row + [7] * (len(padded) - len(row))
        assert real == [1] * len(row) + [0] * (len(padded) - len(row))


@given(ROWS.filter(len))
def test_types_stand_beside_their_tokens(rows):
    arrays = pad_batch([np.stack([row, np.array(row) % 2], axis=1) for row in rows], 8)
    plain = pad_batch(rows, 8)
    assert all((arrays[name] == plain[name]).all() for name in plain)
    assert (arrays["token_type_ids"] == plain["input_ids"] % 2).all()


@given(ROWS)
def test_logits_come_in_the_order_of_the_rows(rows):
    counted = []
    logits = compute_in_batches(
        lambda arrays: np.stack(
            [(arrays["input_ids"] * arrays["attention_mask"]).sum(axis=1), arrays["attention_mask"].sum(axis=1)], axis=1
        ).astype(np.float32),
        rows, classes=2, collate=partial(pad_batch, pad_token_id=7), advance=counted.append,
    )  # fmt: skip
    assert logits.tolist() == [[sum(row), len(row)] for row in rows]
    assert sum(counted) == len(rows)


@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(1, 4)), elements=st.floats(-1e4, 1e4, width=32)))
def test_softmax_is_scipys(logits):
    expected = scipy.special.softmax(logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(softmax(logits), expected, rtol=1e-12, atol=1e-300)
