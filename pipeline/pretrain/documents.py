"""Documents of sentences out of a file, one at a time: the memory does not grow with the file."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import DataError, EnvironmentFault, listed
from pipeline.examples.records import choose, fault
from pipeline.examples.text import SURROGATES
from pipeline.settings.pretrain import TextParams

BATCH = 1024


class Row(NamedTuple):
    """What a line or a row of a file gives: the line it ends in, its sentences, and what its document is called.

    In Parquet, which has no lines, `line` is the number of the row, from 1.
    """

    line: int
    sentences: list[str]
    document: str | None = None


def read_documents(path: Path, params: TextParams, *, max_bytes: int) -> Iterator[list[str]]:
    """Yield the sentences of each document of `path`, in order, as the file spells them.

    Raises:
        DataError: The file breaks its format, a cell is no text or holds half a surrogate pair, or a document has more
            than `max_bytes`; the message names file and line.
        EnvironmentFault: The file cannot be read.
    """
    try:
        rows = ROWS[params.format](path, params, max_bytes)
        yield from grouped(rows, params, file=str(path), max_bytes=max_bytes)
    except (gzip.BadGzipFile, EOFError, zlib.error, pa.ArrowException) as error:
        raise DataError(f"{path}: not a whole file of its kind: {error}. Bring it again.") from error
    except OSError as error:
        raise EnvironmentFault(f"{path} could not be read: {error}. Correct `file`, then run again.") from error


def grouped(rows: Iterable[Row], params: TextParams, *, file: str, max_bytes: int) -> Iterator[list[str]]:
    """Yield the sentences of neighbouring rows that are one document.

    They are so in plain text up to a row without sentences. Elsewhere such a row ends nothing, and they are so where
    `document` has the same value (its group `document`, if there is a `pattern`), or, where no column says, by the
    `rows`, empty ones counted.

    Raises:
        DataError: A document is too large, a sentence cannot be UTF-8, or a row does not say of which document it is.
    """
    pattern = re.compile(params.pattern) if params.pattern is not None else None
    waiting: list[str] = []
    size, count, current = 0, 0, None
    plain = params.format == "text"
    for row in rows if plain or params.document is None else _told(iter(rows), params.document, file):
        name = _name(row, pattern, file)
        if plain:
            ended = not row.sentences
        elif params.document is None:
            ended = count == params.rows
        else:
            ended = name != current
        if ended:
            if waiting:
                yield waiting
            waiting, size, count = [], 0, 0
        current, count = name, count + 1
        size += sum(_bytes(sentence, file, row.line) for sentence in row.sentences)
        if size > max_bytes:
            raise DataError(
                f"{file}:{row.line}: a document reaches {size} bytes here; allowed are {max_bytes}. Divide it, or "
                "raise `corpus.max_document_bytes`."
            )
        waiting.extend(row.sentences)
    if waiting:
        yield waiting


def _told(rows: Iterator[Row], column: str, file: str) -> Iterator[Row]:
    """Yield the rows up to the first that does not say of which document it is; then count these and raise."""
    for row in rows:
        if not row.document:
            found = [(row.line, None), *((other.line, None) for other in rows if not other.document)]
            remedy = "Fill the cells, or set `document: null` to take documents by `rows`."
            raise fault(file, "without a document", found, remedy, column=column)
        yield row


def _name(row: Row, pattern: re.Pattern[str] | None, file: str) -> str | None:
    if pattern is None or row.document is None:
        return row.document
    found = pattern.fullmatch(row.document)
    if found is None:
        raise DataError(
            f"{file}:{row.line}: {listed([row.document])} does not match `pattern` {pattern.pattern!r}. Correct one "
            "of them."
        )
    return found["document"]


def _bytes(sentence: str, file: str, line: int) -> int:
    if found := SURROGATES.search(sentence):
        raise DataError(
            f"{file}:{line}: {listed([found.group()])} is half of a surrogate pair, which no text has. Correct the "
            "program that wrote the file."
        )
    return len(sentence.encode())


def _lines(path: Path, params: TextParams, max_bytes: int) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line, which ends as in the file."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as stream:
        number = 0
        while line := stream.readline(max_bytes + 1):
            number += 1
            if len(line) > max_bytes:
                raise DataError(
                    f"{path}:{number}: the line has more than {max_bytes} bytes. Divide it, or "
                    "raise `corpus.max_document_bytes`."
                )
            try:
                text = line.decode(params.encoding)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}:{number}: not {params.encoding}: {line[error.start : error.start + 8].hex(' ')}. Save the "
                    "file as UTF-8, or set `encoding` to what it is."
                ) from error
            yield number, text.removeprefix("\ufeff") if number == 1 else text


def _plain(path: Path, params: TextParams, max_bytes: int) -> Iterator[Row]:
    for number, line in _lines(path, params, max_bytes):
        yield Row(number, [line.rstrip("\r\n")] if line.strip() else [])


def _delimited(path: Path, params: TextParams, max_bytes: int) -> Iterator[Row]:
    before = csv.field_size_limit(max_bytes)
    reader = csv.reader(
        (line for _, line in _lines(path, params, max_bytes)),
        delimiter=params.delimiter,
        quotechar=params.quote or None,
        quoting=csv.QUOTE_MINIMAL if params.quote else csv.QUOTE_NONE,
        strict=True,
    )
    try:
        header = next(reader, [])
        wanted = choose(str(path), _columns(params), header)
        for row in reader:
            if row and len(row) != len(header):
                raise DataError(
                    f"{path}:{reader.line_num}: {len(row)} cells where the header has {len(header)}. Correct "
                    "`delimiter` or `quote`, or the file."
                )
            if row:
                yield _row(reader.line_num, [row[place] for place in wanted], params, path)
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}. Correct `quote`, or the file.") from error
    finally:
        csv.field_size_limit(before)


def _jsonl(path: Path, params: TextParams, max_bytes: int) -> Iterator[Row]:
    for number, line in _lines(path, params, max_bytes):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not one JSON object: {error}. Write one a line.") from error
        missing = [name for name in _columns(params) if not isinstance(value, dict) or name not in value]
        if missing:
            raise DataError(f"{path}:{number}: no key {listed(missing)}. Correct `sentences`, `document` or the file.")
        yield _row(number, [value[name] for name in _columns(params)], params, path)


def _parquet(path: Path, params: TextParams, max_bytes: int) -> Iterator[Row]:  # noqa: ARG001
    file = pq.ParquetFile(path, buffer_size=2**20)
    names = _columns(params)
    choose(str(path), names, file.schema_arrow.names)
    number = 0
    for batch in file.iter_batches(batch_size=BATCH, columns=list(names)):
        for values in batch.to_pylist():
            number += 1
            yield _row(number, [values[name] for name in names], params, path)


def _columns(params: TextParams) -> tuple[str, ...]:
    return params.sentences if params.document is None else (*params.sentences, params.document)


def _row(line: int, cells: list[Any], params: TextParams, path: Path) -> Row:
    """Return the row of these cells; a cell is a sentence, a list of them, or null for none."""
    sentences: list[str] = []
    for name, cell in zip(params.sentences, cells, strict=False):
        parts = [] if cell is None else cell if isinstance(cell, list) else [cell]
        odd = [part for part in parts if not isinstance(part, str)]
        if odd:
            raise DataError(
                f"{path}:{line}: {name!r} holds {listed(odd)}, and sentences are strings. Correct the file."
            )
        sentences += parts
    return Row(line, sentences, None if params.document is None or cells[-1] is None else str(cells[-1]))


ROWS: dict[str, Callable[[Path, TextParams, int], Iterator[Row]]] = {
    "text": _plain,
    "delimited": _delimited,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
