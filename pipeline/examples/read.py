"""A raw file from disk: read once, whole and within its cap, unpacked if its name ends in .gz, and parsed."""

import io
import os
import zlib
from collections.abc import Iterator
from gzip import BadGzipFile, GzipFile
from pathlib import Path

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.examples import delimited, jsonlines, parquet
from pipeline.examples import pattern as patterns
from pipeline.examples.decode import decode
from pipeline.examples.records import Records, check_cells
from pipeline.settings.ingest import IngestParams


def read(path: Path, params: IngestParams) -> Records:
    """Return the wanted columns of `path`: text, label and, where they are named, group, split and `keep`.

    Raises:
        DataError: The file breaks its format; the message says where and what to do.
        EnvironmentFault: The file cannot be read, or changes meanwhile.
    """
    content = read_bytes(path, max_bytes=params.max_file_bytes)
    columns = params.columns()
    if params.format == "parquet":
        records = parquet.parse(
            content, file=str(path), columns=columns, text=params.text, max_bytes=params.max_file_bytes
        )
    else:
        text = decode(content, file=str(path), encoding=params.encoding)
        del content
        records = _parse(text, str(path), columns, params)
    check_cells(records, max_cell_bytes=params.max_cell_bytes)
    return records


def read_bytes(path: Path, *, max_bytes: int) -> bytes:
    """Return a file's bytes, unpacked if its name ends in .gz.

    Raises:
        DataError: More than `max_bytes` bytes once unpacked (unpacking stops there), or a damaged gzip file.
        EnvironmentFault: The file cannot be read, or its size or time changed while it was.
    """
    try:
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            content = stream.read(min(before.st_size, max_bytes) + 1)
            after = os.fstat(stream.fileno())
            current = path.stat()
    except OSError as error:
        raise EnvironmentFault(
            f"{path} could not be read: {error}. Correct `file` or the permissions, then run again."
        ) from error
    states = {(state.st_ino, state.st_size, state.st_mtime_ns) for state in (before, after, current)}
    if len(states) > 1 or len(content) != min(before.st_size, max_bytes + 1):
        raise EnvironmentFault(f"{path} changed while it was read. Wait until it is complete, then run again.")
    _check_size(content, path, max_bytes)
    return _unpack(content, path, max_bytes) if path.suffix == ".gz" else content


def _check_size(content: bytes, path: Path, max_bytes: int) -> None:
    if len(content) > max_bytes:
        raise DataError(f"{path}: has more than {max_bytes} bytes. Raise `max_file_bytes` if that is meant.")


def _unpack(content: bytes, path: Path, max_bytes: int) -> bytes:
    try:
        with GzipFile(fileobj=io.BytesIO(content)) as stream:
            unpacked = b"".join(_chunks(stream, max_bytes + 1))
    except (BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a whole gzip file: {error}. Bring it again, or name it without .gz.") from error
    _check_size(unpacked, path, max_bytes)
    return unpacked


def _chunks(stream: GzipFile, most: int) -> Iterator[bytes]:
    """Yield at most `most` bytes, a mebibyte at a time: asking for the cap at once would reserve it."""
    while most > 0 and (chunk := stream.read(min(most, 1 << 20))):
        most -= len(chunk)
        yield chunk


def _parse(text: str, file: str, columns: tuple[str, ...], params: IngestParams) -> Records:
    match params.format:
        case "delimited":
            return delimited.parse(text, file=file, columns=columns, delimiter=params.delimiter, quote=params.quote)
        case "jsonl":
            return jsonlines.parse(text, file=file, columns=columns, text=params.text)
        case _:
            return patterns.parse(text, file=file, columns=columns, pattern=params.pattern or "")
