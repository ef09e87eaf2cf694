"""Texts to predict, out of a file as people have it: read as the task's own file is, but without labels, row by row."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.errors import UsageError
from pipeline.examples.faults import RowErrors, overhear_faults
from pipeline.examples.lines import LineCap
from pipeline.examples.read import CELLS_OF_A_LINE, Layout, Limits, open_rows
from pipeline.examples.records import Oversized
from pipeline.examples.text import SURROGATES, is_empty, normalise, text_id, text_key
from pipeline.settings.shared.texts import LabelledTextParams

_MAX_CELL_BYTES = 1_000_000
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
    """How a file holds its texts: its layout, the columns that make a text, and the bytes of a cell at most."""

    layout: Layout
    columns: tuple[str, ...]
    max_cell_bytes: int


class InputText(NamedTuple):
    """A text in its normal form: the line its row starts in, and its id, as the examples of a task have it."""

    row: int
    id: str
    text: str


def choose_source(
    name: str, ingest: LabelledTextParams | None, *, form: str | None, columns: Sequence[str]
) -> InputSource:
    """Return how to read a file: as the task's own if it has the same suffix, else by its suffix, or as `form` says.

    Texts stand in `columns` or, if there are none, in those of the task, or in `text`.

    Raises:
        UsageError: The suffix tells nothing.
    """
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    own = None if ingest is None else Path(ingest.file.removesuffix(".gz")).suffix.lower()
    texts = tuple(columns) or (("text",) if ingest is None else ingest.text)
    most = _MAX_CELL_BYTES if ingest is None else ingest.max_cell_bytes
    if form is None and ingest is not None and suffix == own:
        layout = Layout(ingest.format, ingest.encoding, ingest.delimiter, ingest.quote, ingest.pattern)
        return InputSource(layout, texts, most)
    known = form or _SUFFIXES.get(suffix)
    if known is None:
        raise UsageError(f"{name}: no known format, {suffix or 'no suffix'}. Say `--format` {', '.join(_LAYOUTS)}.")
    return InputSource(_LAYOUTS[known], texts, most)


def read_texts(path: Path, source: InputSource, reject: Reject) -> Iterator[InputText]:
    """Yield the texts of a file; `reject` is told the line of each row that has none, and why. Memory stays constant.

    Raises:
        DataError: The file as a whole breaks its format.
        EnvironmentFault: It cannot be read, or changes meanwhile.
    """
    columns = ("text",) if source.layout.format == "text" else source.columns
    limits = Limits(None, LineCap(CELLS_OF_A_LINE * source.max_cell_bytes, "max_cell_bytes"), source.max_cell_bytes)
    layout = source.layout._replace(strict=False)
    faulty: int | str = 0  # the row that was rejected last

    def listen(row: int | str, reason: str) -> None:
        nonlocal faulty
        if row != faulty:  # a row may have several faults
            reject(row, reason)
        faulty = row

    with overhear_faults(listen), open_rows(path, layout, columns, limits, texts=columns) as rows:
        try:
            for row, cells in rows:
                text = _join(cells)
                if reason := _find_fault(cells, text):
                    reject(row, reason)
                else:
                    yield InputText(row, text_id(text_key(text)), text)
        except RowErrors:  # what all of its rows were rejected for already
            return


def _join(cells: Sequence[Any]) -> str:
    """Return the text of a row, as the examples have it: its cells that are not blank, by lines."""
    parts = [cell for cell in cells if isinstance(cell, str)]
    return normalise("\n".join(part for part in parts if part.strip()) if len(cells) > 1 else "".join(parts))


def _find_fault(cells: Sequence[Any], text: str) -> str | None:
    """Return why a row cannot be predicted, None if it can."""
    if any(isinstance(cell, Oversized) for cell in cells):
        return f"with a cell of {max(cell.size for cell in cells if isinstance(cell, Oversized))} bytes"
    if SURROGATES.search(text):
        return "with bytes that are not of the encoding, or half a character"
    return "without a visible character" if is_empty(text) else None
