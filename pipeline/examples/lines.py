"""Lines of text as rows: plain, or by one regular expression with named groups."""

import re
from collections.abc import Iterable, Iterator, Sequence

from pipeline.examples.records import RawRow, RowFault, find_columns

_NAMES = {"\n": "LF", "\r\n": "CRLF"}


class LineEnds:
    """The ends of a file's rows: CR alone may end all rows or none."""

    def __init__(self, file: str) -> None:
        """Start without rows."""
        self._carriage = RowFault(file, "ending in a lone carriage return")
        self._others: set[str] = set()

    def add(self, line: int, end: str) -> None:
        """Count a row that starts in `line` and has this end ("" at the end of the file)."""
        if end == "\r":
            self._carriage.add(line)
        elif end:
            self._others.add(end)

    def check(self) -> None:
        """Check the ends of all rows.

        Raises:
            DataError: Some rows end in a lone CR and others in LF or CRLF.
        """
        if self._others:
            names = " and ".join(sorted(_NAMES[end] for end in self._others))
            self._carriage.check(f"The other rows end in {names}: quote the cell around the CR, or remove it.")


def number_lines(lines: Iterable[str], *, file: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line (from 1) and the line without its end.

    Raises:
        DataError: Some lines end in a lone CR and others in LF or CRLF.
    """
    ends, previous = LineEnds(file), ""
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        end = line[len(text) :]
        if end != previous or end == "\r":
            ends.add(number, end)
            previous = end
        yield number, text
    ends.check()


def read_text(lines: Iterable[str], *, file: str) -> Iterator[RawRow]:
    """Yield each line as a row of one cell, blank lines too.

    Raises:
        DataError: Some lines end in a lone CR and others in LF or CRLF.
    """
    for number, line in number_lines(lines, file=file):
        yield number, (line,)


def read_pattern(lines: Iterable[str], *, file: str, columns: Sequence[str], pattern: str) -> Iterator[RawRow]:
    """Yield the wanted groups of each line's full match; blank lines are skipped, unmatched groups are None.

    Raises:
        DataError: Lines do not match, some lines end in a lone CR and others do not, or the pattern has no group of
            a wanted name.
    """
    expression = re.compile(pattern)
    find_columns(file, columns, list(expression.groupindex))
    unmatched = RowFault(file, f"not matching {pattern!r}")
    for number, line in number_lines(lines, file=file):
        if not line.strip():
            continue
        if match := expression.fullmatch(line):
            yield number, [match[name] for name in columns]
        else:
            unmatched.add(number, line)
    unmatched.check("Correct the lines, or `pattern`.")
