"""Questions to answer, out of a file as people have it: read as the task's own is, but without labels, row by row."""

import codecs
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.errors import UsageError, listed
from pipeline.examples.faults import RowErrors, overhear_faults
from pipeline.examples.files import NoSuchMember, open_file, read_member
from pipeline.examples.lines import LineCap, find_plain_encoding
from pipeline.examples.read import CELLS_OF_A_LINE, Layout, Limits, open_rows
from pipeline.examples.records import Oversized
from pipeline.examples.text import SURROGATES, text_id
from pipeline.predict.questions import TEXT_QUESTIONS, Questions, Unanswerable
from pipeline.settings.consistency import check_characters, check_codec
from pipeline.settings.ingest import Holds

_MAX_CELL_BYTES = 1_000_000
_MAX_FILE_BYTES = 50_000_000  # of a file that a row names, or whose bytes it holds
WORD_SEPARATOR = " "  # in a cell of text that holds a list
_LAYOUTS = {
    "csv": Layout("delimited", "utf-8", ",", '"'),
    "tsv": Layout("delimited", "utf-8", "\t", '"'),
    "jsonl": Layout("jsonl", "utf-8", ",", '"'),
    "parquet": Layout("parquet", "utf-8", ",", '"'),
    "text": Layout("text", "utf-8", ",", '"'),
}
_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".txt": "text"}

Reject = Callable[[int | str, str], None]


class InputSource(NamedTuple):
    """How a file holds its questions: its layout, the columns of one, what these hold, and the most bytes of a cell.

    `folder` is that of the file: bytes are those of files below it, whose paths stand in a text.
    """

    layout: Layout
    columns: tuple[str, ...]
    holds: tuple[Holds, ...]
    max_cell_bytes: int
    folder: str


class InputQuestion(NamedTuple):
    """A question of a file: the line its row starts in, and its id, as the examples of a task have it."""

    row: int
    id: str
    question: Any


def choose_source(
    name: str, ingest: Any, *, form: str | None, columns: Sequence[str], questions: Questions = TEXT_QUESTIONS
) -> InputSource:
    """Return how to read a file: as the task's own if it has the same suffix, else by its suffix, or as `form` says.

    Questions stand in `columns` or, if there are none, in those of the task (`ingest`, its parameters, or None), or in
    columns that are named as the fields of a question.

    Raises:
        UsageError: The suffix tells nothing, or there are too many columns or too few.
    """
    suffix = _find_suffix(name)
    own = None if ingest is None else _find_suffix(ingest.file)
    chosen = _choose_columns(ingest, columns, questions)
    most = ingest.max_cell_bytes if ingest else _MAX_FILE_BYTES if "bytes" in chosen.values() else _MAX_CELL_BYTES
    separator = None if set(chosen.values()) == {"text"} else WORD_SEPARATOR
    folder = str(Path(name).parent)
    if form is None and ingest is not None and suffix == own:
        layout = Layout(
            ingest.format, ingest.encoding, ingest.delimiter, ingest.quote, ingest.pattern, separator=separator
        )
        return InputSource(layout, tuple(chosen), tuple(chosen.values()), most, folder)
    known = form or _SUFFIXES.get(suffix)
    if known is None:
        raise UsageError(f"{name}: no known format, {suffix or 'no suffix'}. Say `--format` {', '.join(_LAYOUTS)}.")
    if known == "text" and questions.of_text is None:
        raise UsageError(f"{name}: a line is no question, which has {listed(questions.fields)}. Give a table.")
    layout = _LAYOUTS[known]._replace(separator=separator)
    return InputSource(layout, tuple(chosen), tuple(chosen.values()), most, folder)


def _find_suffix(name: str) -> str:
    """Return the suffix of a file as unpacked, in lower case."""
    return Path(name.lower().removesuffix(".gz")).suffix


def override_layout(source: InputSource, *, encoding: str | None, delimiter: str | None) -> InputSource:
    """Return how to read a file, with what was said of it in place of what holds for the task's own.

    Raises:
        UsageError: Python has no such encoding, no delimiter is like that, or the file has none.
    """
    layout = source.layout
    if encoding is not None:
        if layout.format == "parquet":
            raise UsageError("--encoding: a Parquet file has none. Leave it out.")
        layout = layout._replace(encoding=encoding)
    if delimiter is not None:
        if layout.format != "delimited":
            raise UsageError(f"--delimiter: a file of format {layout.format} has none. Leave it out.")
        layout = layout._replace(delimiter=delimiter)
    errors = (*check_codec(layout.encoding), *check_characters(delimiter=layout.delimiter, quote=layout.quote))
    if len(layout.delimiter) != 1:
        errors = (f"`delimiter` must be one character, found {delimiter!r}", *errors)
    if errors:
        raise UsageError(f"{errors[0]}. Correct it.")
    return source._replace(layout=layout)


def require_encoding(path: Path, layout: Layout) -> None:
    """Refuse a file of UTF-8 that would be read by an encoding in which nearly all bytes are some character.

    Raises:
        UsageError: It is one.
        DataError: A damaged gzip file.
        EnvironmentFault: It cannot be read.
    """
    if layout.format == "parquet" or codecs.lookup(layout.encoding).name.startswith("utf"):
        return
    with open_file(path, max_bytes=None) as stream:
        if find_plain_encoding(stream) == "utf-8":
            raise UsageError(
                f"{path}: is UTF-8, and the task's own file {layout.encoding}. Say `--encoding utf-8`, or "
                f"`--encoding {layout.encoding}` if that is meant."
            )


def _choose_columns(ingest: Any, columns: Sequence[str], questions: Questions) -> dict[str, Holds]:
    known = questions.fields if ingest is None else questions.columns(ingest)
    if not columns:
        return dict(known)
    holds = tuple(known.values())
    if questions.joined:
        holds = holds[:1] * max(len(columns), len(questions.fields))
    if len(columns) != len(holds):
        raise UsageError(f"--text: a question has {listed(questions.fields)}, found {len(columns)} columns. Name each.")
    if twice := [name for name in dict.fromkeys(columns) if columns.count(name) > 1]:
        raise UsageError(f"--text: column {listed(twice)} is named twice. Name each once.")
    return dict(zip(columns, holds, strict=True))


def read_questions(path: Path, source: InputSource, questions: Questions, reject: Reject) -> Iterator[InputQuestion]:
    """Yield the questions of a file; `reject` is told the line of each row that is none, and why.

    Memory does not grow with the file.

    Raises:
        DataError: The file as a whole breaks its format.
        EnvironmentFault: It cannot be read, or changes meanwhile.
    """
    holds = dict(zip(source.columns, source.holds, strict=True))
    if source.layout.format == "text":
        holds = {"text": "text"}
    named = {name for name, held in holds.items() if held == "bytes" and source.layout.format != "parquet"}
    holds |= dict.fromkeys(named, "text")
    limits = Limits(None, LineCap(CELLS_OF_A_LINE * source.max_cell_bytes, "max_cell_bytes"), source.max_cell_bytes)
    layout = source.layout._replace(strict=False)
    texts = [name for name, held in holds.items() if held == "text"]
    lists = {name: held for name, held in holds.items() if held != "text"}
    faulty: int | str = 0  # the row that was rejected last

    def listen(row: int | str, reason: str) -> None:
        nonlocal faulty
        if row != faulty:  # a row may have several faults
            reject(row, reason)
        faulty = row

    with overhear_faults(listen), open_rows(path, layout, tuple(holds), limits, texts=texts, lists=lists) as rows:
        try:
            for row, cells in rows:
                try:
                    _require_readable(cells)
                    read = (_load_cell(*cell, named, source) for cell in zip(holds, cells, strict=True))
                    question = questions.read([*read])
                except Unanswerable as error:
                    reject(row, str(error))
                else:
                    yield InputQuestion(row, text_id(questions.name(question)), question)
        except RowErrors:  # what all of its rows were rejected for already
            return


def _load_cell(column: str, cell: Any, named: Collection[str], source: InputSource) -> Any:
    """Return a cell or, in a column of paths, the bytes of its file; none of a row that has no path.

    Raises:
        Unanswerable: There is no such file, or the bytes are too many.
    """
    if column in named:
        try:
            path = (cell or "").strip()
            cell = read_member(Path(source.folder), path, max_bytes=source.max_cell_bytes) if path else b""
        except NoSuchMember as error:
            raise Unanswerable(str(error)) from None
    if isinstance(cell, bytes) and len(cell) > source.max_cell_bytes:
        raise Unanswerable(f"with more than {source.max_cell_bytes} bytes")
    return cell


def _require_readable(cells: Sequence[Any]) -> None:
    """Refuse cells that are too large, or of no characters.

    Raises:
        Unanswerable: There is one.
    """
    if sizes := [cell.size for cell in cells if isinstance(cell, Oversized)]:
        raise Unanswerable(f"with a cell of {max(sizes)} bytes")
    words = (word for cell in cells for word in (cell if isinstance(cell, list) else [cell]))
    if any(isinstance(word, str) and SURROGATES.search(word) for word in words):
        raise Unanswerable("with bytes that are not of the encoding, or half a character")
