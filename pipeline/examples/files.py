"""Files of raw rows, or rows themselves: found by name or glob, opened within their cap, unpacked if named .gz."""

import errno
import fnmatch
import io
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError, UsageError, listed
from pipeline.examples.faults import find_columns
from pipeline.examples.records import Part, Records
from pipeline.examples.text import SURROGATES
from pipeline.settings.fields import Split, require_relative

_PIECE = 1 << 20
_BATCH_FILES = 256


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


def list_paths(
    folder: Path, files: Sequence[str] | Mapping[Split, Sequence[str]], columns: Sequence[str]
) -> Iterator[Records]:
    """Yield a row for each of the files (see `expand_files`): its `path` below `folder`, and the name of its `folder`.

    They come some hundred at a time, each records `partial`, since a file may be an image.

    Raises:
        DataError: There are no such files or columns, or a name is no UTF-8.
    """
    chosen = expand_files(folder, files)
    if broken := [name for name, _ in chosen if SURROGATES.search(name)]:
        raise DataError(f"{folder}: {len(broken)} file name(s) that are not UTF-8, {listed(broken)}. Rename them.")
    find_columns(str(folder), columns, ("path", "folder"), hint=" A row is a file, `path`, in a `folder`.")
    for start in range(0, len(chosen), _BATCH_FILES):
        some = chosen[start : start + _BATCH_FILES]
        cells = {"path": [name for name, _ in some], "folder": [(folder / name).parent.name for name, _ in some]}
        yield Records(
            str(folder),
            pa.chunked_array([pa.repeat(1, len(some))]),
            {column: pa.chunked_array([pa.array(cells[column], pa.large_string())]) for column in columns},
            tuple(Part(name, 1, split) for name, split in some),
            partial=True,
        )


class NoSuchMember(Exception):
    """A path in a row leads to no file that may be read; the message says why: "3 row(s) MESSAGE" reads well."""


def read_member(folder: Path, path: str, *, max_bytes: int) -> bytes:
    """Return the bytes of a file below `folder`, of which a row has the path.

    Raises:
        NoSuchMember: The path leads elsewhere, or to no file, an empty one or one that is too large.
        EnvironmentFault: The file cannot be read.
    """
    try:
        parts = Path(require_relative(path)).parts
    except ValueError:
        raise NoSuchMember("with paths that are not relative to the folder and below it") from None
    file = folder.joinpath(*parts)
    try:
        if any(folder.joinpath(*parts[:depth]).is_symlink() for depth in range(1, len(parts) + 1)):
            raise NoSuchMember("with links in place of files")
        if not file.is_file():
            raise NoSuchMember("without a file at their path")
        if file.stat().st_size > max_bytes:
            raise NoSuchMember(f"with files of more than {max_bytes} bytes")
        content = file.read_bytes()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise NoSuchMember("without a file at their path") from None
        raise EnvironmentFault(
            f"{file} could not be read: {error}. Correct the permissions, then run again."
        ) from error
    if not content:
        raise NoSuchMember("with empty files")
    return content


def is_packed(path: Path) -> bool:
    """Return whether a file is read unpacked."""
    return path.suffix.lower() == ".gz"


@contextmanager
def open_file(path: Path, *, max_bytes: int | None) -> Iterator[BinaryIO]:
    """Open a file to read its bytes, unpacked if its name ends in .gz; a mebibyte of them is in memory.

    Raises:
        UsageError: It is a pipe.
        DataError: More than `max_bytes` bytes once unpacked (unpacking stops there), or a damaged gzip file.
        EnvironmentFault: The file cannot be read, or its size or time changes before the block ends.
    """
    try:
        with path.open("rb") as stored:
            before = os.fstat(stored.fileno())
            if stat.S_ISFIFO(before.st_mode):
                raise UsageError(
                    f"{path}: is a pipe, which gives its bytes once, and they are read twice. Write them to a file, or "
                    "have `predict` read standard input, `-`."
                )
            too_large = DataError(f"{path}: has more than {max_bytes} bytes. Raise `max_file_bytes` if that is meant.")
            if max_bytes is not None and before.st_size > max_bytes:
                raise too_large
            try:
                if is_packed(path):
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
