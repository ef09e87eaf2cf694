import numpy as np
import pyarrow as pa
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.batches import flatten_rows, pad_rows, to_ragged

CPU = torch.device("cpu")


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=9), min_size=1, max_size=9), st.data())
def test_a_padded_batch_pads_on_the_right_and_masks_what_it_padded(rows, data):
    tokens = to_ragged(pa.array(rows, pa.list_(pa.int32())))
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=5))
    batch = pad_rows(tokens, np.array(chosen), pad_token_id=0, device=CPU)
    width = max(len(rows[row]) for row in chosen)
    assert batch["input_ids"].tolist() == [rows[row] + [0] * (width - len(rows[row])) for row in chosen]
    real = [[1] * len(rows[row]) + [0] * (width - len(rows[row])) for row in chosen]
    if all(map(all, real)):
        assert batch["attention_mask"] is None
    else:
        assert batch["attention_mask"] is not None
        assert batch["attention_mask"].tolist() == real


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=9), min_size=1, max_size=9), st.integers(0, 3))
def test_a_flat_batch_is_the_padded_one_without_padding(rows, first_position):
    values = [value for row in rows for value in row]
    tokens = to_ragged(pa.array(rows, pa.list_(pa.int32())))._replace(types=np.array(values, np.int32) % 2)
    order = np.random.default_rng(0).permutation(len(rows))
    batch = flatten_rows(tokens, order, first_position=first_position, device=CPU)
    beside = pad_rows(tokens, order, pad_token_id=0, device=CPU)
    real = batch["attention_mask"].bool()
    assert beside["attention_mask"] is None or batch["attention_mask"].equal(beside["attention_mask"])
    for name in ("input_ids", "token_type_ids"):
        assert batch[name].shape == (1, len(values))
        assert batch[name][0].equal(beside[name][real])
        assert batch[name][0][batch["segments"].unpack][real].equal(beside[name][real])
    assert batch["position_ids"][0].equal((torch.arange(real.shape[1]) + first_position).expand_as(real)[real])
    segments = batch["segments"]
    lengths = [len(rows[row]) for row in order]
    assert segments.bounds.diff().tolist() == lengths
    assert segments.longest == max(lengths)
    assert [length for _, count, length in segments.runs for _ in range(count)] == lengths
    assert [start for start, _, _ in segments.runs] == [0, *np.cumsum([c * n for _, c, n in segments.runs])[:-1]]


def test_ragged_reads_slices_filters_chunks_and_emptiness():
    column = pa.chunked_array(
        [pa.array([[1, 2], [3]], pa.list_(pa.int32())), pa.array([[4, 5, 6]], pa.list_(pa.int32()))]
    )
    for part, expected in (
        (column, [[1, 2], [3], [4, 5, 6]]),
        (column.slice(1), [[3], [4, 5, 6]]),
        (column.filter(pa.array([True, False, True])), [[1, 2], [4, 5, 6]]),
        (column.slice(3), []),
    ):
        tokens = to_ragged(part)
        rows = [tokens.values[a:b].tolist() for a, b in zip(tokens.offsets, tokens.offsets[1:], strict=False)]
        assert rows == expected
        assert tokens.lengths.tolist() == [len(row) for row in expected]
