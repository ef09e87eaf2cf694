import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import DataError
from pipeline.examples.formats.parquet import read_parquet_rows

Rows = list[tuple[int, tuple[Any, ...]]]


def write(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


def read(path: Path, columns: tuple[str, ...] = ("text", "label"), max_bytes: int = 10**6) -> Rows:
    rows = read_parquet_rows(path, file="f.parquet", columns=columns, texts=("text",), max_bytes=max_bytes)
    return [(number, tuple(cells)) for number, cells in rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def column(values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"text": ["t"] * len(values), "other": [0] * len(values), "label": pa.array(values, kind)})


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([0, -1, 2**62], pa.int64(), ["0", "-1", str(2**62)]),
        (["a", None, ""], pa.string(), ["a", None, ""]),
        (["a", "b", "a"], pa.large_string(), ["a", "b", "a"]),
        ([True, False], pa.bool_(), ["true", "false"]),
        ([2.5, -0.125], pa.float64(), ["2.5", "-0.125"]),
        ([datetime.date(2024, 2, 29)], pa.date32(), ["2024-02-29"]),
    ],
)
def test_columns_are_read_as_text(path: Path, values: list[Any], kind: pa.DataType, expected: list[str | None]) -> None:
    rows = read(write(path, column(values, kind)))
    assert rows == [(number, ("t", label)) for number, label in enumerate(expected, start=1)]


def test_values_are_as_they_are_where_nobody_needs_texts(path: Path) -> None:
    table = pa.table({"text": [["a", "b"], None], "label": [1, 2]})
    rows = read_parquet_rows(write(path, table), file="f", columns=("label", "text"))
    assert list(rows) == [(1, (1, ["a", "b"])), (2, (2, None))]


def test_dictionary_columns_and_many_batches_are_read_in_order(path: Path) -> None:
    texts = [f"text {n % 7}" for n in range(3000)]
    table = pa.table({"label": pa.array(texts).dictionary_encode(), "text": pa.array(texts).dictionary_encode()})
    assert read(write(path, table)) == [(number, (text, text)) for number, text in enumerate(texts, start=1)]


def test_null_texts_are_none(path: Path) -> None:
    assert read(write(path, pa.table({"text": ["a", None], "label": ["b", "c"]}))) == [
        (1, ("a", "b")),
        (2, (None, "c")),
    ]


def test_a_file_without_rows_has_none(path: Path) -> None:
    assert read(write(path, column(["a"]).slice(0, 0))) == []


BROKEN_TEXT = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
FAULTS = [
    (pa.table({"label": ["a"]}), ["f.parquet: column 'text' is not there", "'label'"]),
    (pa.table([["a"], ["b"], ["c"]], names=["text", "label", "label"]), ["column 'label' is there more than once"]),
    (pa.table({"text": [1], "label": ["a"]}), ["column 'text' holds int64", "texts are strings"]),
    (pa.table({"text": ["a"], "label": [["b"]]}), ["column 'label' holds list<", "several labels"]),
    (pa.table({"text": BROKEN_TEXT, "label": ["a"]}), ["column 'text'", "UTF"]),
]


@pytest.mark.parametrize(("table", "words"), FAULTS)
def test_a_table_without_texts_and_labels_is_refused(path: Path, table: pa.Table, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(write(path, table))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_cut_file_is_refused(path: Path, keep: int) -> None:
    path.write_bytes(write(path, column(["a"])).read_bytes()[:keep])
    with pytest.raises(DataError, match=r"f\.parquet: not a whole Parquet file"):
        read(path)


def test_a_file_that_unpacks_to_too_much_is_refused(path: Path) -> None:
    table = pa.table({"text": ["x" * 1000] * 5000, "label": ["a"] * 5000})
    assert write(path, table).stat().st_size < 10_000
    with pytest.raises(DataError, match=r"more than 1000000 bytes unpacked.*`max_file_bytes`"):
        read(path)


@pytest.mark.parametrize("wrap", [lambda texts: texts, lambda texts: texts.dictionary_encode()])
def test_a_text_that_is_stored_once_counts_in_every_row(path: Path, wrap: Any) -> None:
    texts = pa.array(["x" * 1000] * 5000)
    with pytest.raises(DataError, match=r"more than 1000000 bytes unpacked"):
        read(write(path, pa.table({"text": wrap(texts), "label": ["a"] * 5000})))
    assert len(read(path, max_bytes=5_005_000)) == 5000


@pytest.mark.parametrize("listed", [False, True])
def test_a_long_text_that_many_rows_repeat_is_in_memory_once(path: Path, listed: bool) -> None:
    # 400 MB of rows in a file of some kB; a process of its own, since Arrow's memory is not Python's.
    texts = pa.array(["x" * 10**6, "y"]).take(pa.array([0] * 400))
    table = pa.table({"text": pa.ListArray.from_arrays(pa.array(range(401), pa.int32()), texts) if listed else texts})
    write(path, table)
    del table, texts
    assert path.stat().st_size < 300_000
    program = (
        "import resource, sys; from pathlib import Path; from pipeline.examples.formats import parquet\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert sum(1 for _ in parquet.read_parquet_rows(Path(sys.argv[1]), file='f', columns=('text',))) == 400\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, check=True)
    assert int(done.stdout) < 150_000_000
