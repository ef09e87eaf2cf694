"""The inputs of the tests of ingest: params, records, and streams that give their bytes in small blocks."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.examples.records import Part, Records
from pipeline.settings.shared.texts import LabelledTextParams
from tests.given.settings import read_section

COMMON = read_section("ingest")


def ingest_params(**own: Any) -> LabelledTextParams:
    """Return the params of params.yaml with a small cap on cells, and what a test changes."""
    values = {
        **COMMON,
        "task": "tiny",
        "file": "tiny.csv",
        "labels": ["neg", "pos"],
        "max_cell_bytes": 1000,
        "corrected": {},
        **own,
    }
    return LabelledTextParams.model_validate(values, strict=False)


def make_records(columns: Mapping[str, Sequence[str | None]], lines: Sequence[int], file: str = "f.csv") -> Records:
    """Return the records of a file with these cells, in two chunks."""
    half = len(lines) // 2

    def chunked(values: Sequence[Any], kind: pa.DataType) -> pa.ChunkedArray:
        return pa.chunked_array([pa.array(values[:half], kind), pa.array(values[half:], kind)])

    cells = {name: chunked(values, pa.large_string()) for name, values in columns.items()}
    return Records(file, chunked(lines, pa.int64()), cells, (Part("", len(lines)),))


def split_lines(content: str) -> Iterator[str]:
    """Yield the lines of a text with their ends LF, CRLF and CR, as a decoded file gives them."""
    yield from io.StringIO(content, newline="")


class SmallBlocks(io.BytesIO):
    """A stream that gives at most `size` bytes at a time."""

    size = 1

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self.size if size is None or size < 0 else min(size, self.size))


def small_blocks(content: bytes, size: int) -> SmallBlocks:
    """Return a stream that gives at most `size` bytes at a time."""
    stream = SmallBlocks(content)
    stream.size = size
    return stream
