"""Images and classes of IDX files."""

import gzip
import io
import struct

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Image
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as Pictures

from pipeline.core.errors import DataError
from pipeline.settings.sources import IdxFiles
from pipeline.sources.idx import join_idx_splits, read_idx
from tests.given.sources import write_idx

PIXELS = np.arange(4 * 6 * 5, dtype=np.uint8).reshape(4, 6, 5)
LABELS = np.array([3, 1, 4, 1], np.uint8)


@settings(deadline=None, max_examples=30)
@given(values=arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=5)), packed=st.booleans())
def test_numbers_come_back(tmp_path_factory, values, packed):
    path = write_idx(tmp_path_factory.mktemp("idx") / ("a.gz" if packed else "a"), values)
    assert np.array_equal(read_idx(path, "a", dimensions=3, max_bytes=1000), values)


def header(kind: int, *shape: int) -> bytes:
    return bytes((0, 0, kind, len(shape))) + struct.pack(f">{len(shape)}I", *shape)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x08", "not an IDX file"),
        (header(8, 2) + b"ab", "in 3 dimension"),
        (header(13, 1, 1, 1) + b"abcd", "of unsigned bytes"),
        (b"\x01" + header(8, 1, 1, 1)[1:] + b"a", "not an IDX file"),
        (header(8, 2, 2, 2) + b"abcdefg", "7 bytes after its header, which says 2 x 2 x 2"),
        (header(8, 2, 2, 2) + b"abcdefghi", "9 bytes after"),
        (header(8, 2**31, 2**31, 2**31) + b"abc", "3 bytes after"),
        (header(8, 1, 30, 40) + bytes(1200), "more than 1000 bytes"),
    ],
)
def test_files_that_break_the_format(tmp_path, content, words):
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_idx(path, "a", dimensions=3, max_bytes=1000)


@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda _: b"no gzip"])
def test_damaged_gzip_files(tmp_path, damage):
    path = tmp_path / "a.gz"
    path.write_bytes(damage(gzip.compress(header(8, 1, 2, 2) + b"abcd")))
    with pytest.raises(DataError, match="gzip"):
        read_idx(path, "a.gz", dimensions=3, max_bytes=1000)


def test_splits_become_a_dataset_that_the_library_opens(tmp_path):
    paths = {name: write_idx(tmp_path / f"{name}.gz", values) for name, values in (("i", PIXELS), ("l", LABELS))}
    out = tmp_path / "dataset.parquet"
    splits = {"train": IdxFiles(images="i", labels="l", rows=4), "test": IdxFiles(images="i", labels="l", rows=2)}
    join_idx_splits(splits, paths, out, max_bytes=1000)
    rows = pq.read_table(out).to_pylist()
    assert [row["split"] for row in rows] == ["train"] * 4 + ["test"] * 2
    assert [row["label"] for row in rows] == [3, 1, 4, 1, 3, 1]
    stacked = np.stack([np.asarray(Pictures.open(io.BytesIO(row["image"]["bytes"]))) for row in rows])
    assert np.array_equal(stacked, np.concatenate([PIXELS, PIXELS[:2]]))
    dataset = Dataset.from_parquet(str(out), cache_dir=str(tmp_path / "cache"))
    assert isinstance(dataset.features["image"], Image)
    assert np.array_equal(np.asarray(dataset[1]["image"]), PIXELS[1])


@pytest.mark.parametrize(("rows", "labels"), [(5, LABELS), (3, LABELS[:3])])
def test_splits_that_do_not_fit(tmp_path, rows, labels):
    paths = {name: write_idx(tmp_path / name, values) for name, values in (("i", PIXELS), ("l", labels))}
    with pytest.raises(DataError, match=f"4 images, {len(labels)} classes"):
        join_idx_splits({"train": IdxFiles(images="i", labels="l", rows=rows)}, paths, tmp_path / "o", max_bytes=1000)
