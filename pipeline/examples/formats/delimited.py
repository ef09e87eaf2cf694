"""Rows of delimited text: a row a line with a header, all of one length; or a word a line, a sentence a row (CoNLL)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from pipeline.core.errors import DataError
from pipeline.examples.faults import Faults, RowFault, find_columns
from pipeline.examples.lines import LineEnds, number_lines
from pipeline.examples.records import Oversized, RawRow
from pipeline.settings.ingest import HOLDINGS, Holds

_ENDS = r"\r\n|\r|\n|\Z"
_CANDIDATES = (",", ";", "\t", "|")
_SHOWN = 40  # characters of a cell in a message

DOCUMENT = "docstart"  # the column with the number of a sentence's document
_MARK = "-DOCSTART-"
_UNIVERSAL = 10  # columns of CoNLL-U
_COMMENT = re.compile(r"#\s*(newdoc\b|newpar\b|[\w.:-]+\s*=).*")
_NO_WORD = re.compile(r"\d+[-.]\d+")  # the ids of CoNLL-U that stand for several words, or for a word left out

Cells = Sequence[str | Oversized]


class Dialect(NamedTuple):
    """The characters between and around cells (`quote` "" makes all quotes ordinary), and the cap on a cell.

    A quoted cell of several lines with more than `max_cell_bytes` bytes is not kept but stands as `Oversized`.
    """

    delimiter: str
    quote: str
    max_cell_bytes: int


def read_delimited(lines: Iterable[str], *, file: str, columns: Sequence[str], dialect: Dialect) -> Iterator[RawRow]:
    """Yield the wanted cells of each row after the header; blank lines are skipped, "NA" and "null" are text.

    Cells are as written, inner line ends included; a doubled quote in a quoted cell is one quote; a quote inside a
    cell that does not start with one is an ordinary character. Of `lines`, with their ends, those of one row are in
    memory.

    Raises:
        DataError: Wrong or missing columns, rows of another length, an unclosed quote, or lone CRs among other ends.
    """
    rows = split_rows(lines, file=file, dialect=dialect)
    line, header, end = next(rows)
    names = ["" if isinstance(cell, Oversized) else cell for cell in header]
    places = find_columns(file, columns, names, hint=_suggest_delimiter(names, columns, dialect.delimiter))
    pick = itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))
    width, ends, previous = len(header), LineEnds(file), end
    ragged = RowFault(file, f"without the {width} cells of the header")
    ends.add(line, end)
    for line, cells, end in rows:
        if end != previous or end == "\r":
            ends.add(line, end)
            previous = end
        if len(cells) == width:
            yield line, pick(cells)
        else:
            ragged.add(line, f"{len(cells)} cells")
    faults = Faults()
    with faults.gather():
        ends.check()
    with faults.gather():
        quoting = f"Put {dialect.quote} around cells that contain" if dialect.quote else "Remove"
        ragged.check(
            f"{quoting} {dialect.delimiter!r}{'' if dialect.quote else ' from the cells'}, fill short rows with empty "
            "cells, or set `delimiter` and `quote`."
        )
    faults.check()


def split_rows(lines: Iterable[str], *, file: str, dialect: Dialect) -> Iterator[tuple[int, Cells, str]]:
    """Yield each row that is not a blank line: the line it starts in (from 1), its cells, and the line end after it.

    The end is "" at the end of the file. Lines are counted as an editor counts them.

    Raises:
        DataError: A quoted cell is not closed, or goes on after its closing quote.
    """
    delimiter, quote, _ = dialect
    numbered = enumerate(lines, start=1)
    quoted = _Quoted(numbered, file, dialect) if quote else None
    for number, line in numbered:
        if quoted is not None and quote in line:
            yield number, *quoted.split(number, line)
        elif text := line.rstrip("\r\n"):
            yield number, text.split(delimiter), line[len(text) :]


class _Quoted:
    """The rows that hold quotes; their further lines are taken from `lines`."""

    def __init__(self, lines: Iterator[tuple[int, str]], file: str, dialect: Dialect) -> None:
        self._lines, self._file = lines, file
        self._delimiter, self._quote, self._max_bytes = dialect
        d, q = re.escape(self._delimiter), re.escape(self._quote)
        # Possessive, hence linear.
        inside = rf"[^{q}]*+(?:{q}{q}[^{q}]*+)*+"
        self._inside = re.compile(inside)
        self._cell = re.compile(rf"(?:{q}({inside}){q}|([^{d}{q}\r\n][^{d}\r\n]*+|))({d}|{_ENDS})")
        self._after = re.compile(rf"{d}|{_ENDS}")

    def split(self, number: int, line: str) -> tuple[Cells, str]:
        """Return the cells of the row that starts with `line`, and its end."""
        delimiter, quote, double, match = self._delimiter, self._quote, self._quote * 2, self._cell.match
        cells: list[str | Oversized] = []
        place, end = 0, delimiter
        while end == delimiter:
            if cell := match(line, place):
                quoted, plain, end = cell.groups()
                cells.append(plain if quoted is None else quoted.replace(double, quote))
                place = cell.end()
            else:
                number, line, place, end = self._finish(cells, number, line, place)
        return cells, end

    def _finish(self, cells: list[str | Oversized], number: int, line: str, place: int) -> tuple[int, str, int, str]:
        """Append the quoted cell at `place`, which `line` does not end; return the line it ends in, and its end.

        Of a cell above the cap the text is dropped and only counted.
        """
        opened, shown, start = number, line[place:], place + 1
        pieces, size = list[str](), 0
        while True:
            stop = self._stop(line, start)
            piece = line[start:stop].replace(self._quote * 2, self._quote)
            size += len(piece.encode("utf-8", "surrogatepass"))
            if size <= self._max_bytes:
                pieces.append(piece)
            if stop < len(line):
                break
            number, line = next(self._lines, (number, ""))
            if not line:
                raise self._unclosed(opened, shown, "is an unclosed quote: the file ends in it")
            shown, start = shown if len(shown) >= _SHOWN else shown + line, 0
        after = self._after.match(line, stop + 1)
        if after is None:
            rest = line[stop + 1 : stop + 21]
            words = f"goes on after its closing quote in line {number} with {rest!r}: an unclosed quote"
            raise self._unclosed(opened, shown, words)
        cells.append("".join(pieces) if size <= self._max_bytes else Oversized(size))
        return number, line, after.end(), after[0]

    def _stop(self, line: str, start: int) -> int:
        """Return where the inside of a quoted cell ends: before its closing quote, or at the end of the line."""
        inside = self._inside.match(line, start)
        return inside.end() if inside else start

    def _unclosed(self, line: int, shown: str, words: str) -> DataError:
        quote = self._quote
        return DataError(
            f"{self._file}:{line}: the quoted cell that starts here, {shown[:_SHOWN]!r}, {words}. Close the quote, "
            f'double the quotes inside ({quote * 2}), or set `quote: ""` if quotes are ordinary text.'
        )


def _suggest_delimiter(header: Sequence[str], columns: Sequence[str], delimiter: str) -> str:
    """Return " It looks like ';'." if another delimiter gives the wanted columns, or any at all to a header of one."""
    line = delimiter.join(header)
    for other in _CANDIDATES:
        cells = [cell.strip("\"'") for cell in line.split(other)]
        if other != delimiter and len(cells) > 1 and (len(header) == 1 or set(columns) <= set(cells)):
            return f" The delimiter is {delimiter!r}, and the file looks like {other!r}: set `delimiter`."
    return ""


def split_lists(
    rows: Iterable[RawRow], *, file: str, columns: Sequence[str], lists: Mapping[str, Holds], separator: str | None
) -> Iterator[RawRow]:
    """Yield rows of text in which the cells of some columns are lists: their parts between `separator`, [] if empty.

    Raises:
        DataError: There is no separator, or a column holds bytes, which text cannot.
    """
    for name, holds in lists.items():
        if holds == "bytes" or (holds != "json" and not separator):
            fix = "Use Parquet" if holds == "bytes" else "Set `ingest.separator`, or use JSON Lines or Parquet"
            raise DataError(f"{file}: column {name!r}: a cell of text holds no {HOLDINGS[holds]}. {fix}.")
    places = [place for place, name in enumerate(columns) if lists.get(name, "json") != "json"]
    for number, values in rows:
        cells = list(values)
        for place in places:
            if isinstance(cells[place], str):
                cells[place] = cells[place].split(separator) if cells[place] else []
        yield number, cells


def read_conll(lines: Iterable[str], *, file: str, columns: Sequence[str]) -> Iterator[RawRow]:
    """Yield the wanted columns of each sentence, lists with a cell a word; columns are named "1", "2", ... in order.

    Blank lines end a sentence. Cells stand between tabs or, if the first line with cells has none, between blanks. A
    document begins at `-DOCSTART-`, or at `# newdoc` of CoNLL-U; the column `docstart` is its number, "0" before the
    first. Other comments of CoNLL-U (`# key = value`) are skipped, and so are its multi-word tokens and empty nodes.

    Raises:
        DataError: A wanted column is not there.
        RowErrors: Lines with another number of cells, whose sentences are left out, or lone CRs among other line ends.
    """
    ragged = RowFault(file, "without the cells of the first line")
    faults = Faults()
    with faults.gather():
        yield from _read_sentences(lines, file, columns, ragged)
    with faults.gather():
        ragged.check("Divide the cells of each line alike, and sentences by a blank line.")
    faults.check()


def _read_sentences(lines: Iterable[str], file: str, columns: Sequence[str], ragged: RowFault) -> Iterator[RawRow]:
    width, separator, document = 0, None, 0
    start, words, is_whole = 0, list[Sequence[str]](), True

    def close() -> Iterator[RawRow]:
        if words and is_whole:
            cells = {str(place): list(column) for place, column in enumerate(zip(*words, strict=True), start=1)}
            yield start, [str(document) if name == DOCUMENT else cells[name] for name in columns]

    for number, line in number_lines(lines, file=file):
        begins_document = line.startswith((_MARK, "# newdoc", "#newdoc"))
        if not line.strip() or begins_document:
            yield from close()
            words, is_whole, document = [], True, document + begins_document
            continue
        if not words and is_whole and _COMMENT.fullmatch(line):
            continue
        if not width:
            separator = "\t" if "\t" in line else None
            width = len(line.split(separator))
            find_columns(file, columns, [*map(str, range(1, width + 1)), DOCUMENT], hint=" Columns are numbered.")
        cells = line.split(separator)
        if len(cells) != width:
            ragged.add(number, f"{len(cells)} cells, not {width}")
            is_whole = False
        elif not (width == _UNIVERSAL and _NO_WORD.fullmatch(cells[0])):
            start = start if words else number
            words.append(cells)
    yield from close()
