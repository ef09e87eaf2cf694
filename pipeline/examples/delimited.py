"""Rows of comma- or tab-separated text: every row as long as the header, every quote closed."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.core.errors import DataError
from pipeline.examples.records import Records, choose, fault

_ENDS = r"\r\n|\r|\n|\Z"
_CANDIDATES = (",", ";", "\t", "|")


class Row(NamedTuple):
    """One row: the line it starts in (from 1), its cells, and the line end behind it ("" at the end of the file)."""

    line: int
    cells: list[str]
    end: str


def parse(content: str, *, file: str, columns: Sequence[str], delimiter: str, quote: str) -> Records:
    """Return the wanted columns of a file with a header; blank lines are skipped, "NA" and "null" are text.

    Cells are as written, inner line ends included; a doubled quote in a quoted cell is one quote; a quote inside a
    cell that does not start with one is an ordinary character. `quote` "" makes all quotes ordinary.

    Raises:
        DataError: Wrong or missing columns, rows of another length, an unclosed quote, or lone CRs among other ends.
    """
    tokens = rows(content, file=file, delimiter=delimiter, quote=quote)
    header = next(tokens)
    hint = _other_delimiter(header.cells, columns, delimiter)
    places = choose(file, columns, header.cells, hint=hint)
    records = Records(file, [], {name: [] for name in columns})
    cells = [records.columns[name] for name in columns]
    ragged: list[tuple[int, object]] = []
    ends = {header.end: [header.line]}
    for row in tokens:
        if row.end == "\r" or row.end not in ends:
            ends.setdefault(row.end, []).append(row.line)
        if len(row.cells) != len(header.cells):
            ragged.append((row.line, len(row.cells)))
            continue
        records.lines.append(row.line)
        for column, place in zip(cells, places, strict=True):
            column.append(row.cells[place])
    check_ends(file, ends)
    if ragged:
        raise _ragged(file, ragged, len(header.cells), delimiter, quote)
    return records


def rows(content: str, *, file: str, delimiter: str, quote: str) -> Iterator[Row]:
    """Yield the rows of `content`, blank lines left out; lines are counted as an editor counts them.

    Raises:
        DataError: A quoted cell is not closed, or goes on behind its closing quote.
    """
    line, start, cells = 1, 1, list[str]()
    for match in _cell(delimiter, quote).finditer(content):
        quoted, plain, end = match.groups()
        if end is None:
            raise _unclosed(content, match.start(), line, file=file, quote=quote)
        if quoted is None:
            cells.append(plain)
        else:
            cells.append(quoted.replace(quote * 2, quote))
            line += _line_ends(quoted)
        if end != delimiter:
            if quoted is not None or plain or len(cells) > 1:
                yield Row(start, cells, end)
            line += 1
            start, cells = line, []


def check_ends(file: str, ends: dict[str, list[int]]) -> None:
    """Check the line ends of a file, given as lines by end: CR alone may end all rows or none.

    Raises:
        DataError: Some lines end in a lone CR and others in LF or CRLF.
    """
    others = [end for end in ends if end not in ("\r", "")]
    if "\r" in ends and others:
        found = [(line, None) for line in ends["\r"]]
        name = " and ".join(sorted({"\n": "LF", "\r\n": "CRLF"}[end] for end in others))
        remedy = f"The other rows end in {name}: quote the cell around the CR, or remove it."
        raise fault(file, "ending in a lone carriage return", found, remedy)


def _cell(delimiter: str, quote: str) -> re.Pattern[str]:
    """Return the pattern of one cell and what ends it; where neither form fits, it matches nothing, without groups."""
    d, q = re.escape(delimiter), re.escape(quote)
    quoted = _quoted(q) if quote else "((?!))"
    return re.compile(rf"(?:{quoted}|([^{d}{q}\r\n][^{d}\r\n]*+|))({d}|{_ENDS})|")


def _quoted(quote: str) -> str:
    """Return the pattern of a quoted cell, its inside as the group; `quote` is escaped. Possessive, hence linear."""
    return rf"{quote}([^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+){quote}"


def _line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _unclosed(content: str, place: int, line: int, *, file: str, quote: str) -> DataError:
    closed = re.compile(_quoted(re.escape(quote))).match(content, place)
    start = f"{file}:{line}: the quoted cell that starts here, {content[place : place + 40]!r}, "
    remedy = f'Close the quote, double the quotes inside ({quote * 2}), or set `quote: ""` if quotes are ordinary text.'
    if closed is None:
        return DataError(f"{start}is an unclosed quote: the file ends in it. {remedy}")
    rest = content[closed.end() : closed.end() + 20]
    end = line + _line_ends(closed.group())
    return DataError(
        f"{start}goes on behind its closing quote in line {end} with {rest!r}: an unclosed quote. {remedy}"
    )


def _ragged(file: str, ragged: list[tuple[int, object]], width: int, delimiter: str, quote: str) -> DataError:
    found = [(line, f"{cells} cells") for line, cells in ragged]
    how = f"Put {quote} around cells that contain {delimiter!r}" if quote else f"Remove {delimiter!r} from the cells"
    remedy = f"{how}, fill short rows with empty cells, or set `delimiter` and `quote`."
    return fault(file, f"without the {width} cells of the header", found, remedy)


def _other_delimiter(header: Sequence[str], columns: Sequence[str], delimiter: str) -> str:
    """Return " It looks like ';'." if another delimiter gives the wanted columns, or any at all to a header of one."""
    line = delimiter.join(header)
    for other in _CANDIDATES:
        cells = [cell.strip("\"'") for cell in line.split(other)]
        if other != delimiter and len(cells) > 1 and (len(header) == 1 or set(columns) <= set(cells)):
            return f" The delimiter is {delimiter!r}, and the file looks like {other!r}: set `delimiter`."
    return ""
