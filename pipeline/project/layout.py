"""The layout of a file that nobody has described: its format, encoding, delimiter and columns, found by reading it."""

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import DataError, UsageError
from pipeline.examples.files import open_file
from pipeline.examples.formats.delimited import Dialect, split_rows
from pipeline.examples.formats.jsonlines import read_json_lines
from pipeline.examples.lines import decode_lines, find_plain_encoding, number_lines
from pipeline.examples.read import Layout, Limits, open_rows

_DELIMITERS = (",", ";", "\t", "|")
_SQUAD = ("title", "context", "question", "answers")
_OBJECTS = 1000  # of a JSONL file, whose keys are its columns
_PLAIN: tuple[Callable[[Any], bool], ...] = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_dictionary,
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean,
)  # fmt: skip

Row = Sequence[Any]  # its cells: strings, numbers or truth values of JSON, None, or what stands for another value


def guess_layout(path: Path, limits: Limits) -> Layout:
    """Return the layout by which the whole file can be read, or that it most resembles, whatever its name is.

    Raises:
        UsageError: It is one JSON list.
        DataError: It is empty, binary, or not text in its encoding.
        EnvironmentFault: It cannot be read.
    """
    with open_file(path, max_bytes=limits.file) as stream:
        if stream.read(4) == b"PAR1":
            return Layout("parquet", "utf-8", ",", '"')
        encoding = _guess_encoding(stream)
        first = next(filter(str.strip, decode_lines(stream, file=str(path), encoding=encoding))).lstrip()
        if first.startswith("["):
            raise UsageError(f"{path}: is one JSON list. Write its objects one a line (JSON Lines), then run again.")
        if first.startswith("{"):
            return Layout("jsonl", encoding, ",", '"')
        likely = max(_DELIMITERS, key=first.count)
        read = partial(decode_lines, stream, file=str(path), encoding=encoding)
        dialects = [Dialect(delimiter, quote, limits.cell) for quote in ('"', "") for delimiter in _DELIMITERS]
        fitting = (dialect for dialect in dialects if _fits(read, dialect, str(path)))
        delimiter, quote, _ = next(fitting, Dialect(likely, '"', limits.cell))
    return Layout("delimited", encoding, delimiter, quote)


def read_columns(path: Path, layout: Layout, limits: Limits) -> tuple[list[str], Iterator[Row]]:
    """Return the columns of a file that a text or a label may stand in, and its rows, which are read once.

    Rows of another length than the header are left out: whoever reads the file strictly names them.

    Raises:
        DataError: It is not a whole file of its format.
    """
    if layout.format == "parquet":
        names = [field.name for field in read_schema(path) if any(is_kind(field.type) for is_kind in _PLAIN)]
        return names, _read_parquet(path, layout, names, limits)
    with open_file(path, max_bytes=limits.file) as stream:
        lines = decode_lines(stream, file=str(path), encoding=layout.encoding)
        if layout.format == "jsonl":
            names = _list_keys(lines, str(path))
        else:
            dialect = Dialect(layout.delimiter, layout.quote, limits.cell)
            names = [str(cell) for cell in next(split_rows(lines, file=str(path), dialect=dialect))[1]]
    return names, _read_lines(path, layout, names, limits)


def read_cells(path: Path, layout: Layout, limits: Limits, *, rows: int) -> tuple[list[str], list[Row]]:
    """Return the columns of a file, lists and objects too but no bytes, and its first rows.

    Raises:
        DataError: It is not a whole file of its format.
    """
    if layout.format == "squad":
        names = list(_SQUAD)
    elif layout.format == "parquet":
        names = [field.name for field in read_schema(path) if "binary" not in str(field.type)]
    else:
        names, cells = read_columns(path, layout, limits)
        return names, [*islice(cells, rows)]
    with open_rows(path, layout, names, limits) as opened:
        return names, [cells for _, cells in islice(opened, rows)]


def read_schema(path: Path) -> pa.Schema:
    """Return the schema of a Parquet file.

    Raises:
        DataError: It is not one, or it is packed.
    """
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a whole Parquet file: {error}. Download it again, or unpack it.") from error


def _guess_encoding(stream: BinaryIO) -> str:
    """Return utf-16 or utf-32 if their mark begins the stream, utf-8 if all of it is that, else cp1252."""
    stream.seek(0)
    start = stream.read(4)
    for encoding, marks in (
        ("utf-32", (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)),  # first, since it begins like UTF-16's
        ("utf-16", (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)),
    ):
        if start.startswith(marks):
            return encoding
    return "utf-8" if find_plain_encoding(stream) else "cp1252"


def _fits(read: Callable[[], Iterator[str]], dialect: Dialect, file: str) -> bool:
    """Return whether a dialect divides all rows into the same number of cells, two at least."""
    width = 0
    try:
        for _, cells, _ in split_rows(read(), file=file, dialect=dialect):
            if len(cells) != (width := width or len(cells)) or width < 2:
                return False
    except DataError:  # a quote that is not closed
        return False
    return True


def _list_keys(lines: Iterator[str], file: str) -> list[str]:
    """Return the keys of the first objects; a line that is none is left to who reads it strictly."""
    keys: dict[str, None] = {}
    for _, line in islice(number_lines(lines, file=file), _OBJECTS):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            keys |= dict.fromkeys(value)
    return list(keys)


def _read_parquet(path: Path, layout: Layout, names: Sequence[str], limits: Limits) -> Iterator[Row]:
    with open_rows(path, layout, names, limits, texts=()) as rows:
        yield from (cells for _, cells in rows)


def _read_lines(path: Path, layout: Layout, names: Sequence[str], limits: Limits) -> Iterator[Row]:
    with open_file(path, max_bytes=limits.file) as stream:
        lines = decode_lines(stream, file=str(path), encoding=layout.encoding)
        if layout.format == "jsonl":
            yield from (cells for _, cells in read_json_lines(lines, file=str(path), columns=names))
            return
        dialect = Dialect(layout.delimiter, layout.quote, limits.cell)
        rows = split_rows(lines, file=str(path), dialect=dialect)
        next(rows)
        yield from (cells for _, cells, _ in rows if len(cells) == len(names))
