"""Rows of a raw file from disk, one at a time: opened within its cap, unpacked if its name ends in .gz, and parsed."""

import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Literal, NamedTuple

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError
from pipeline.examples.decode import decode_lines
from pipeline.examples.delimited import Dialect, read_delimited
from pipeline.examples.jsonlines import as_texts, read_json_lines
from pipeline.examples.lines import read_pattern, read_text
from pipeline.examples.parquet import read_parquet_rows
from pipeline.examples.records import RawRow, Records, collect_records
from pipeline.settings.ingest import IngestParams

_PIECE = 1 << 20


class Layout(NamedTuple):
    """How a file holds its rows; `delimiter`, `quote` and `pattern` count in their own format only."""

    format: Literal["text", "delimited", "jsonl", "parquet", "pattern"]
    encoding: str
    delimiter: str
    quote: str
    pattern: str | None = None


class Limits(NamedTuple):
    """Bytes that may be in a file once unpacked, in a line, and in a cell; None: no limit."""

    file: int | None
    line: int | None
    cell: int


def read_records(path: Path, params: IngestParams) -> Records:
    """Return the wanted columns of `path`: text, label and, if they are named, group, split and `keep`.

    Raises:
        DataError: The file breaks its format; the message says where and what to do.
        EnvironmentFault: The file cannot be read, or changes meanwhile.
    """
    columns = params.columns()
    layout = Layout(params.format, params.encoding, params.delimiter, params.quote, params.pattern)
    limits = Limits(file=params.max_file_bytes, line=None, cell=params.max_cell_bytes)
    with open_rows(path, layout, columns, limits, text=params.text) as rows:
        return collect_records(rows, file=str(path), columns=columns, max_cell_bytes=params.max_cell_bytes)


@contextmanager
def open_rows(
    path: Path, layout: Layout, columns: Sequence[str], limits: Limits, *, text: str | None = None
) -> Iterator[Iterator[RawRow]]:
    """Open a file to read the wanted columns of its rows; memory does not grow with the file.

    If `text` names a column, every cell is a string or None, and those of that column strings. Otherwise cells are as
    the file holds them, and each JSON object must have all columns. Faults that are counted over the whole file are
    raised behind its last row.

    Raises:
        DataError: The file breaks its format, or is too large; the message says where and what to do.
        EnvironmentFault: The file cannot be read, or changes before the block ends.
    """
    file = str(path)
    with open_file(path, max_bytes=limits.file) as stream:
        if layout.format != "parquet":
            yield _parse(stream, file, layout, columns, limits, text)
        elif path.suffix != ".gz":
            yield read_parquet_rows(path, file=file, columns=columns, text=text, max_bytes=limits.file)
        else:
            # The parts of a Parquet file are read in any order, which a packed one cannot do.
            with NamedTemporaryFile() as unpacked:
                for piece in iter(partial(stream.read, _PIECE), b""):
                    unpacked.write(piece)
                unpacked.flush()
                source = Path(unpacked.name)
                yield read_parquet_rows(source, file=file, columns=columns, text=text, max_bytes=limits.file)


def _parse(
    stream: BinaryIO, file: str, layout: Layout, columns: Sequence[str], limits: Limits, text: str | None
) -> Iterator[RawRow]:
    lines = decode_lines(stream, file=file, encoding=layout.encoding, max_bytes=limits.line)
    match layout.format:
        case "delimited":
            dialect = Dialect(layout.delimiter, layout.quote, limits.cell)
            return read_delimited(lines, file=file, columns=columns, dialect=dialect)
        case "jsonl":
            rows = read_json_lines(lines, file=file, columns=columns, complete=text is None)
            return rows if text is None else as_texts(rows, file=file, columns=columns, text=text)
        case "pattern":
            return read_pattern(lines, file=file, columns=columns, pattern=layout.pattern or "")
        case _:
            return read_text(lines, file=file)


@contextmanager
def open_file(path: Path, *, max_bytes: int | None) -> Iterator[BinaryIO]:
    """Open a file to read its bytes, unpacked if its name ends in .gz; a mebibyte of them is in memory.

    Raises:
        DataError: More than `max_bytes` bytes once unpacked (unpacking stops there), or a damaged gzip file.
        EnvironmentFault: The file cannot be read, or its size or time changes before the block ends.
    """
    try:
        with path.open("rb") as stored:
            before = os.fstat(stored.fileno())
            too_large = DataError(f"{path}: has more than {max_bytes} bytes. Raise `max_file_bytes` if that is meant.")
            if max_bytes is not None and before.st_size > max_bytes:
                raise too_large
            try:
                if path.suffix == ".gz":
                    yield _buffered(GzipFile(fileobj=stored), max_bytes, too_large)
                else:
                    yield _buffered(stored, before.st_size, _changed(path))
            except (BadGzipFile, EOFError, zlib.error) as error:
                _check_unchanged(path, stored, before)
                raise DataError(
                    f"{path}: not a whole gzip file: {error}. Bring it again, or name it without .gz."
                ) from error
            except DataError:
                # A file that is still being written may well be whole the next time.
                _check_unchanged(path, stored, before)
                raise
            _check_unchanged(path, stored, before)
    except OSError as error:
        raise EnvironmentFault(
            f"{path} could not be read: {error}. Correct `file` or the permissions, then run again."
        ) from error


def _changed(path: Path) -> EnvironmentFault:
    return EnvironmentFault(f"{path} changed while it was read. Wait until it is complete, then run again.")


def _check_unchanged(path: Path, stored: BinaryIO, before: os.stat_result) -> None:
    after = (os.fstat(stored.fileno()), path.stat())
    if len({(state.st_ino, state.st_size, state.st_mtime_ns) for state in (before, *after)}) > 1:
        raise _changed(path)


class _Capped(io.RawIOBase):
    """A stream that raises `fault` if more than `max_bytes` of its bytes are read."""

    def __init__(self, stream: io.BufferedIOBase, max_bytes: int | None, fault: PipelineError) -> None:
        self._stream, self._max_bytes, self._fault = stream, max_bytes, fault
        self._place = 0  # a device does not tell it

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._place = self._stream.seek(offset, whence)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        count = self._stream.readinto(buffer)
        self._place += count
        if self._max_bytes is not None and self._place > self._max_bytes:
            raise self._fault
        return count


def _buffered(stream: io.BufferedIOBase, max_bytes: int | None, fault: PipelineError) -> BinaryIO:
    return io.BufferedReader(_Capped(stream, max_bytes, fault), _PIECE)
