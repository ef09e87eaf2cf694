"""Documents of sentences out of a file, one at a time: memory does not grow with the file."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.errors import DataError, listed
from pipeline.examples.faults import RowFault
from pipeline.examples.lines import LineCap
from pipeline.examples.read import Layout, Limits, open_rows
from pipeline.examples.records import Oversized, RawRow
from pipeline.examples.text import SURROGATES
from pipeline.settings.pretrain import TextParams


class SentenceRow(NamedTuple):
    """A row of a file: the line it starts in (in Parquet its number), its sentences, and its document, if named."""

    line: int
    sentences: list[str]
    document: str | None = None


def read_documents(path: Path, params: TextParams, *, max_bytes: int) -> Iterator[list[str]]:
    """Yield the sentences of each document of `path`, in order, as the file spells them.

    Raises:
        DataError: The file breaks its format, a cell is no text or holds half a surrogate pair, or a document has more
            than `max_bytes`; the message names file and line. Faults that are counted come after the last document.
        EnvironmentFault: The file cannot be read, or changes meanwhile.
    """
    columns = params.sentences if params.document is None else (*params.sentences, params.document)
    layout = Layout(params.format, params.encoding, params.delimiter, params.quote)
    limits = Limits(file=None, line=LineCap(max_bytes, "corpus.max_document_bytes"), cell=max_bytes)
    with open_rows(path, layout, columns, limits) as raw_rows:
        rows = (_sentence_row(row, params, str(path), max_bytes) for row in raw_rows)
        yield from group_sentences(rows, params, file=str(path), max_bytes=max_bytes)


def group_sentences(
    rows: Iterable[SentenceRow], params: TextParams, *, file: str, max_bytes: int
) -> Iterator[list[str]]:
    """Yield the sentences of neighbouring rows that are one document.

    In plain text a document ends at a row without sentences. In other formats such a row ends nothing: a document is
    the rows with the same value of `document` (of its group `document`, if there is a `pattern`), or, if no column is
    named, so many `rows`, those without sentences counted.

    Raises:
        DataError: A document is too large, a sentence cannot be UTF-8, or a row does not name its document.
    """
    pattern = re.compile(params.pattern) if params.pattern is not None else None
    waiting: list[str] = []
    size, count, current = 0, 0, None
    plain = params.format == "text"
    for row in rows if plain or params.document is None else _require_document(iter(rows), params.document, file):
        name = _match_document(row, pattern, file)
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
        size += sum(_count_bytes(sentence, file, row.line) for sentence in row.sentences)
        if size > max_bytes:
            raise _too_large(file, row.line, size, max_bytes)
        waiting.extend(row.sentences)
    if waiting:
        yield waiting


def _require_document(rows: Iterator[SentenceRow], column: str, file: str) -> Iterator[SentenceRow]:
    """Yield the rows up to the first that does not name its document; then count all of these and raise."""
    unnamed = RowFault(file, "without a document", column=column)
    for row in rows:
        if not row.document:
            unnamed.add(row.line)
        elif not unnamed.count:
            yield row
    unnamed.check("Fill the cells, or set `document: null` to take documents by `rows`.")


def _match_document(row: SentenceRow, pattern: re.Pattern[str] | None, file: str) -> str | None:
    if pattern is None or row.document is None:
        return row.document
    match = pattern.fullmatch(row.document)
    if match is None or not match["document"]:  # an empty name would make unrelated rows one document
        raise DataError(
            f"{file}:{row.line}: {listed([row.document])} does not match `pattern` {pattern.pattern!r}. Correct one "
            "of them."
        )
    return match["document"]


def _count_bytes(sentence: str, file: str, line: int) -> int:
    if surrogate := SURROGATES.search(sentence):
        raise DataError(
            f"{file}:{line}: {listed([surrogate.group()])} is half of a surrogate pair, which no text has. Correct the "
            "program that wrote the file."
        )
    return len(sentence.encode())


def _too_large(file: str, line: int, size: int, max_bytes: int) -> DataError:
    return DataError(
        f"{file}:{line}: a document reaches {size} bytes here; allowed are {max_bytes}. Divide it, or raise "
        "`corpus.max_document_bytes`."
    )


def _sentence_row(row: RawRow, params: TextParams, file: str, max_bytes: int) -> SentenceRow:
    """Return the row of these cells; a cell is a sentence, a list of them, or null for none."""
    line, cells = row
    for cell in cells:
        if isinstance(cell, Oversized):
            raise _too_large(file, line, cell.size, max_bytes)
    sentences: list[Any] = []
    for name, cell in zip(params.sentences, cells, strict=False):
        parts = [] if cell is None else cell if isinstance(cell, list) else [cell]
        if odd := [part for part in parts if type(part) is not str]:
            raise DataError(
                f"{file}:{line}: {name!r} holds {listed(odd)}, and sentences are strings. Correct the file."
            )
        sentences += parts
    if params.format == "text":
        return SentenceRow(line, [sentence for sentence in sentences if sentence.strip()])
    return SentenceRow(line, sentences, None if params.document is None else _read_name(cells[-1], line, params, file))


def _read_name(cell: Any, line: int, params: TextParams, file: str) -> str | None:
    """Return the name of the document that a cell holds; None if it is empty."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | None):
        raise DataError(
            f"{file}:{line}: {params.document!r} holds {listed([cell])}, and a document is named by a string or an "
            "integer. Correct the file."
        )
    return None if cell is None else str(cell)
