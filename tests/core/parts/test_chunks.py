import zlib
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.parts.chunks import cut_chunks, digest_rows, from_bytes, measure_row_bytes, to_bytes

MEAN = 4
ids = st.lists(st.integers(0, 10**6).map(str), unique=True, max_size=120)


def batch_of(names):
    columns = {
        "id": pa.array(names, pa.string()),
        "text": pa.array([None if name[-1] == "3" else name * 2 for name in names], pa.string()),
        "ids": pa.array([[*range(len(name))] for name in names], pa.list_(pa.int32())),
        "flag": [name[-1] == "1" for name in names],
        "image": pa.array([{"bytes": name.encode(), "path": None} for name in names],
                          pa.struct({"bytes": pa.binary(), "path": pa.string()})),
    }  # fmt: skip
    return pa.record_batch(columns)


def cut(names, sizes=(7,), **how):
    batch, start, pieces = batch_of(names), 0, []
    while start < len(names):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(batch.slice(start, size))
        start += size
    return list(cut_chunks(pieces, **{"mean": MEAN, **how}))


@given(ids, st.lists(st.integers(1, 50), min_size=1, max_size=5), st.integers(40, 4000))
def test_chunks_are_the_rows_in_order_however_they_come(names, sizes, most_bytes):
    chunks = cut(names, sizes, most_bytes=most_bytes)
    assert [name for chunk in chunks for name in chunk["id"].to_pylist()] == names
    assert all(0 < chunk.num_rows <= 4 * MEAN for chunk in chunks)
    assert all(chunk.num_rows == 1 or measure_row_bytes(chunk).sum() <= most_bytes for chunk in chunks)
    whole = cut(names, (1000,), most_bytes=most_bytes)
    assert [chunk.num_rows for chunk in chunks] == [chunk.num_rows for chunk in whole]
    assert [digest_rows(chunk) for chunk in chunks] == [digest_rows(chunk) for chunk in whole]


def cut_row_by_row(batch, mean, most_bytes):
    """Return the number of rows of each chunk, by the rules as they are said."""
    counts, before, size = [], None, 0
    for own, more in zip(batch["id"].to_pylist(), measure_row_bytes(batch).tolist(), strict=True):
        starts = own != before and own is not None and zlib.crc32(own.encode()) % mean == 0
        if not counts or starts or counts[-1] == 4 * mean or size + more > most_bytes:
            counts.append(0)
            size = 0
        counts[-1] += 1
        before, size = own, size + more
    return counts


NAMES, SIZES = st.lists(st.none() | st.integers(0, 30).map(str)), st.lists(st.integers(1, 50), min_size=1, max_size=5)


@given(NAMES, SIZES, st.integers(1, 5), st.integers(10, 800))
def test_bounds_are_those_of_one_row_after_the_other(names, sizes, mean, most_bytes):
    batch = pa.record_batch(
        {"id": pa.array(names, pa.string()), "text": pa.array([f"{name}" * 9 for name in names], pa.string())}
    )
    pieces, start = [], 0
    while start < len(names):
        pieces.append(batch.slice(start, sizes[len(pieces) % len(sizes)]))
        start += len(pieces[-1])
    chunks = cut_chunks(pieces, mean=mean, most_bytes=most_bytes)
    assert [chunk.num_rows for chunk in chunks] == cut_row_by_row(batch, mean, most_bytes)


def segments(names):
    """Return the rows from each one that its id makes a start to the next."""
    firsts = [row for row, name in enumerate(names) if len(cut(["x0", name])) == 2]
    return [names[start:stop] for start, stop in zip([0, *firsts], [*firsts, len(names)], strict=True)]


@given(ids, st.data())
def test_an_edit_changes_the_chunks_between_two_starts_alone(names, data):
    row = data.draw(st.integers(0, len(names)))
    added = data.draw(st.lists(st.integers(10**7, 10**8).map(str), unique=True, max_size=3))
    removed = data.draw(st.integers(0, 2))
    edited = [*names[:row], *added, *names[row + removed :]]
    kept = {tuple(segment) for segment in segments(names)} & {tuple(segment) for segment in segments(edited)}
    of_kept = {digest_rows(chunk) for segment in kept for chunk in cut(list(segment))}
    before, after = ({digest_rows(chunk) for chunk in cut(rows)} for rows in (names, edited))
    assert of_kept <= before & after
    touched = [segment for segment in segments(edited) if tuple(segment) not in kept]
    assert len(touched) <= 2 + len(added)


def test_rows_that_are_appended_change_the_last_chunk_alone():
    names = [str(number) for number in range(5000)]
    before, after = (cut(names[:count], (97,), mean=64) for count in (4900, 5000))
    assert [chunk["id"] for chunk in after[: len(before) - 1]] == [chunk["id"] for chunk in before[:-1]]
    assert 40 < len(before) < 120


def test_rows_of_one_id_start_one_chunk():
    names = [str(number) for number in range(40) for _ in range(3)]
    chunks = [chunk["id"].to_pylist() for chunk in cut(names, (5,), mean=8)]
    assert all(own[0] != before[-1] or len(before) == 32 for before, own in pairwise(chunks))
    assert len(chunks) > 3


def test_a_row_has_the_bytes_of_its_values():
    batch = batch_of(["12", "103", "7"])
    one = [2 + 4 + 4 * 2 + 1 + 2, 3 + 0 + 4 * 3 + 1 + 3, 1 + 2 + 4 * 1 + 1 + 1]
    assert measure_row_bytes(batch).tolist() == one
    assert measure_row_bytes(batch.slice(1, 1)).tolist() == one[1:2]


def test_pixels_and_numbers_have_their_width():
    columns = {"pixels": pa.array([b"abc", b"def"], pa.binary(3)), "label": pa.array([1, None], pa.int64())}
    assert measure_row_bytes(pa.record_batch(columns)).tolist() == [11, 11]


def test_a_digest_is_that_of_the_columns_named():
    batch = batch_of(["1", "2"])
    other = batch.set_column(0, "id", pa.array(["1", "4"]))
    assert digest_rows(batch) != digest_rows(other)
    assert digest_rows(batch, but=("id",)) == digest_rows(other, but=("id",))
    assert digest_rows(batch) == digest_rows(batch.replace_schema_metadata({"any": "thing"}))
    assert digest_rows(batch) != digest_rows(batch.rename_columns(["id", "text", "more", "flag", "image"]))


@given(ids)
def test_rows_come_back_from_bytes(names):
    batch = batch_of(names).replace_schema_metadata({"coverage": "[1]"})
    again = from_bytes(to_bytes(batch))
    assert again.equals(batch, check_metadata=True)
    assert to_bytes(again) == to_bytes(batch)


def test_what_are_no_rows_is_refused():
    with pytest.raises(pa.ArrowException):
        from_bytes(pa.py_buffer(np.arange(9).tobytes()))
