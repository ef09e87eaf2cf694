"""Rows of raw files from disk, one at a time: opened within its cap, unpacked if its name ends in .gz, and parsed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import MappingProxyType
from typing import IO, BinaryIO, Literal, NamedTuple

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.examples.cells import batch_records
from pipeline.examples.faults import Faults, RowErrors
from pipeline.examples.files import expand_files, is_packed, list_paths, open_file
from pipeline.examples.formats.delimited import Dialect, read_conll, read_delimited, split_lists
from pipeline.examples.formats.jsonlines import as_texts, read_json_lines
from pipeline.examples.formats.parquet import read_parquet_rows
from pipeline.examples.formats.squad import read_squad
from pipeline.examples.lines import LineCap, decode_lines, read_pattern, read_text
from pipeline.examples.records import Part, RawRow, Records, join_records
from pipeline.settings.ingest import Holds, IngestParams

_PIECE = 1 << 20
CELLS_OF_A_LINE = 16  # of the largest size: unread columns and the escapes of JSON count too


class Layout(NamedTuple):
    """How a file holds its rows; `delimiter`, `quote` and `pattern` count in their own format only,
    `separator`, between the parts of a list, where a cell is text.

    Unless `strict`, bytes that do not decode become lone surrogates, which no encoding has, and end no reading.
    """

    format: Literal["text", "delimited", "jsonl", "parquet", "pattern", "conll", "files", "squad"]
    encoding: str
    delimiter: str
    quote: str
    pattern: str | None = None
    strict: bool = True
    separator: str | None = None


class Limits(NamedTuple):
    """Bytes that may be in a file once unpacked (None: no limit), in a line, and in a cell."""

    file: int | None
    line: LineCap
    cell: int


def read_records(path: Path, params: IngestParams) -> Records:
    """Return the rows of `stream_records` as one.

    Raises:
        DataError: As there.
        EnvironmentFault: As there.
    """
    return join_records([*stream_records(path, params)])


def stream_records(path: Path, params: IngestParams) -> Iterator[Records]:
    """Yield the rows of `path`, some thousand at a time: texts, label and, if they are named, group, split and `keep`.

    `path` is a file, or a folder of the files that `params.files` names. Faults of rows are kept in the last records of
    each file, which have no rows. What is not yielded takes no memory.

    Raises:
        DataError: A file breaks its format, or one is not there; the message says where and what to do.
        EnvironmentFault: A file cannot be read, or changes meanwhile.
    """
    if params.format == "files":
        yield from list_paths(path, params.files or (), tuple(params.columns()))
        return
    if params.files is None:
        yield from _stream_file(path, params)
        return
    faults, of_rows = Faults(), list[str]()
    for name, split in expand_files(path, params.files):
        with faults.gather():
            for records in _stream_file(path / name, params):
                of_rows += records.faults
                if not faults.errors:
                    part = Part(name, len(records.lines), split)
                    yield records._replace(file=str(path), parts=(part,))
    if faults.errors:
        raise RowErrors(*faults.errors, *of_rows)


def _stream_file(path: Path, params: IngestParams) -> Iterator[Records]:
    columns = params.columns()
    layout = Layout(
        params.format,
        params.encoding,
        params.delimiter,
        params.quote,
        params.pattern,
        separator=params.list_separator(),
    )
    texts = [name for name, holds in columns.items() if holds == "text"]
    lists = {name: holds for name, holds in columns.items() if holds in ("cells", "texts", "bytes", "json")}
    line = LineCap(CELLS_OF_A_LINE * params.max_cell_bytes, "max_cell_bytes")
    limits = Limits(file=params.max_file_bytes, line=line, cell=params.max_cell_bytes)
    with open_rows(path, layout, tuple(columns), limits, texts=texts, lists=lists) as rows:
        yield from batch_records(rows, file=str(path), columns=columns, max_cell_bytes=params.max_cell_bytes)


@contextmanager
def open_rows(
    path: Path,
    layout: Layout,
    columns: Sequence[str],
    limits: Limits,
    *,
    texts: Sequence[str] | None = None,
    lists: Mapping[str, Holds] = MappingProxyType({}),
) -> Iterator[Iterator[RawRow]]:
    """Open a file to read the wanted columns of its rows; memory does not grow with the file.

    If `texts` names columns, every cell is a string or None, and those columns hold no numbers; `lists` says of columns
    that hold something else what that is. Otherwise cells are as the file holds them, and each JSON object must have
    all columns. Faults that are counted over the whole file are
    raised after its last row.

    Raises:
        DataError: The file breaks its format, or is too large; the message says where and what to do.
        EnvironmentFault: The file cannot be read, or changes before the block ends.
    """
    file = str(path)
    with open_file(path, max_bytes=limits.file) as stream:
        if layout.format != "parquet":
            yield _parse(stream, file, layout, columns, limits, texts, lists)
        elif not is_packed(path):
            yield read_parquet_rows(path, file=file, columns=columns, texts=texts, lists=lists, max_bytes=limits.file)
        elif limits.file is None:
            raise DataError(
                f"{file}: a packed Parquet file may unpack to any size. Unpack it: Parquet packs by itself."
            )
        else:
            # The parts of a Parquet file are read in any order, which a packed one cannot do.
            with NamedTemporaryFile() as unpacked:
                _unpack(stream, unpacked, file)
                source = Path(unpacked.name)
                yield read_parquet_rows(
                    source, file=file, columns=columns, texts=texts, lists=lists, max_bytes=limits.file
                )


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
    stream: BinaryIO,
    file: str,
    layout: Layout,
    columns: Sequence[str],
    limits: Limits,
    texts: Sequence[str] | None,
    lists: Mapping[str, Holds],
) -> Iterator[RawRow]:
    is_document = layout.format == "squad"  # on one line
    cap = LineCap(limits.file, "max_file_bytes") if is_document and limits.file else limits.line
    lines = decode_lines(stream, file=file, encoding=layout.encoding, cap=cap, strict=layout.strict)
    match layout.format:
        case "delimited":
            dialect = Dialect(layout.delimiter, layout.quote, limits.cell)
            rows = read_delimited(lines, file=file, columns=columns, dialect=dialect)
        case "jsonl":
            rows = read_json_lines(lines, file=file, columns=columns, complete=texts is None)
            return rows if texts is None else as_texts(rows, file=file, columns=columns, texts=texts, lists=lists)
        case "conll":
            return read_conll(lines, file=file, columns=columns)
        case "squad":
            return read_squad(lines, file=file, columns=columns)
        case "pattern":
            rows = read_pattern(lines, file=file, columns=columns, pattern=layout.pattern or "")
        case _:
            return read_text(lines, file=file)
    return split_lists(rows, file=file, columns=columns, lists=lists, separator=layout.separator) if lists else rows
