"""Rows of raw files from disk, one at a time: opened within its cap, unpacked if its name ends in .gz, and parsed."""

import fnmatch
import io
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, BinaryIO, Literal, NamedTuple

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError, listed
from pipeline.examples.delimited import Dialect, read_delimited
from pipeline.examples.faults import Faults, RowErrors
from pipeline.examples.jsonlines import as_texts, read_json_lines
from pipeline.examples.lines import LineCap, decode_lines, read_pattern, read_text
from pipeline.examples.parquet import read_parquet_rows
from pipeline.examples.records import RawRow, Records, collect_records, join_records
from pipeline.settings.fields import Split
from pipeline.settings.ingest import IngestParams

_PIECE = 1 << 20
CELLS_OF_A_LINE = 16  # of the largest size: unread columns and the escapes of JSON count too


class Layout(NamedTuple):
    """How a file holds its rows; `delimiter`, `quote` and `pattern` count in their own format only.

    Unless `strict`, bytes that do not decode become lone surrogates, which no encoding has, and end no reading.
    """

    format: Literal["text", "delimited", "jsonl", "parquet", "pattern"]
    encoding: str
    delimiter: str
    quote: str
    pattern: str | None = None
    strict: bool = True


class Limits(NamedTuple):
    """Bytes that may be in a file once unpacked (None: no limit), in a line, and in a cell."""

    file: int | None
    line: LineCap
    cell: int


def read_records(path: Path, params: IngestParams) -> Records:
    """Return the wanted columns of `path`: texts, label and, if they are named, group, split and `keep`.

    `path` is a file, or a folder of the files that `params.files` names. Faults of rows are kept in the records.

    Raises:
        DataError: A file breaks its format, or one is not there; the message says where and what to do.
        EnvironmentFault: A file cannot be read, or changes meanwhile.
    """
    if params.files is None:
        return _read_file(path, params)
    parts: list[tuple[str, Split | None, Records]] = []
    faults = Faults()
    for name, split in expand_files(path, params.files):
        with faults.gather():
            parts.append((name, split, _read_file(path / name, params)))
    if faults.errors:
        raise RowErrors(*faults.errors, *(fault for *_, records in parts for fault in records.faults))
    return join_records(str(path), parts)


def expand_files(folder: Path, files: Sequence[str] | Mapping[Split, Sequence[str]]) -> list[tuple[str, Split | None]]:
    """Return the files below `folder` that match names or globs (`*` matches `/` too), in that order, with their split.

    Raises:
        DataError: A glob matches nothing, a file is of two splits, or there is no such folder.
    """
    if not folder.is_dir():
        what = (
            "is a file. Set `files: null`, or name its folder" if folder.is_file() else "is not there. Correct `file`"
        )
        raise DataError(f"{folder}: `files` are those of a folder, and this {what}.")
    present = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    chosen: dict[str, Split | None] = {}
    groups: Iterable[tuple[Split | None, Sequence[str]]] = (
        files.items() if isinstance(files, Mapping) else [(None, files)]
    )
    for split, globs in groups:
        for pattern in globs:
            matches = [name for name in present if name == pattern or fnmatch.fnmatchcase(name, pattern)]
            if not matches:
                raise DataError(f"{folder}: no file {pattern!r}; there are {listed(present)}. Correct `files`.")
            for name in matches:
                if chosen.setdefault(name, split) != split:
                    raise DataError(f"{folder}: {name!r} is in {chosen[name]} and in {split}. Name it in one split.")
    return list(chosen.items())


def _read_file(path: Path, params: IngestParams) -> Records:
    columns = params.columns()
    layout = Layout(params.format, params.encoding, params.delimiter, params.quote, params.pattern)
    line = LineCap(CELLS_OF_A_LINE * params.max_cell_bytes, "max_cell_bytes")
    limits = Limits(file=params.max_file_bytes, line=line, cell=params.max_cell_bytes)
    with open_rows(path, layout, columns, limits, texts=params.text) as rows:
        return collect_records(rows, file=str(path), columns=columns, max_cell_bytes=params.max_cell_bytes)


@contextmanager
def open_rows(
    path: Path, layout: Layout, columns: Sequence[str], limits: Limits, *, texts: Sequence[str] | None = None
) -> Iterator[Iterator[RawRow]]:
    """Open a file to read the wanted columns of its rows; memory does not grow with the file.

    If `texts` names columns, every cell is a string or None, and those columns hold no numbers. Otherwise cells are as
    the file holds them, and each JSON object must have all columns. Faults that are counted over the whole file are
    raised after its last row.

    Raises:
        DataError: The file breaks its format, or is too large; the message says where and what to do.
        EnvironmentFault: The file cannot be read, or changes before the block ends.
    """
    file = str(path)
    with open_file(path, max_bytes=limits.file) as stream:
        if layout.format != "parquet":
            yield _parse(stream, file, layout, columns, limits, texts)
        elif not _is_packed(path):
            yield read_parquet_rows(path, file=file, columns=columns, texts=texts, max_bytes=limits.file)
        elif limits.file is None:
            raise DataError(
                f"{file}: a packed Parquet file may unpack to any size. Unpack it: Parquet packs by itself."
            )
        else:
            # The parts of a Parquet file are read in any order, which a packed one cannot do.
            with NamedTemporaryFile() as unpacked:
                _unpack(stream, unpacked, file)
                source = Path(unpacked.name)
                yield read_parquet_rows(source, file=file, columns=columns, texts=texts, max_bytes=limits.file)


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _unpack(stream: BinaryIO, out: IO[bytes], file: str) -> None:
    for piece in iter(partial(stream.read, _PIECE), b""):
        try:
            out.write(piece)
            out.flush()
        except OSError as error:
            raise EnvironmentFault(
                f"{file}: could not be unpacked to {out.name}, {error}. Free space there, or set TMPDIR to another "
                "folder, then run again."
            ) from error


def _parse(
    stream: BinaryIO, file: str, layout: Layout, columns: Sequence[str], limits: Limits, texts: Sequence[str] | None
) -> Iterator[RawRow]:
    lines = decode_lines(stream, file=file, encoding=layout.encoding, cap=limits.line, strict=layout.strict)
    match layout.format:
        case "delimited":
            dialect = Dialect(layout.delimiter, layout.quote, limits.cell)
            return read_delimited(lines, file=file, columns=columns, dialect=dialect)
        case "jsonl":
            rows = read_json_lines(lines, file=file, columns=columns, complete=texts is None)
            return rows if texts is None else as_texts(rows, file=file, columns=columns, texts=texts)
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
                if _is_packed(path):
                    yield _buffered(GzipFile(fileobj=stored), max_bytes, too_large)
                else:
                    yield _buffered(stored, before.st_size, _changed(path))
            except (BadGzipFile, EOFError, zlib.error) as error:
                _check_unchanged(path, stored, before)
                raise DataError(
                    f"{path}: not a whole gzip file: {error}. Download it again, or name it without .gz."
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
