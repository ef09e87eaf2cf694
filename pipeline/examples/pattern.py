"""Rows of a file whose every line follows one regular expression with named groups."""

import re
from collections.abc import Sequence

from pipeline.examples.delimited import check_ends
from pipeline.examples.records import Records, choose, fault

_LINE = re.compile(r"([^\r\n]*+)(\r\n|\r|\n|\Z)")


def numbered(content: str, *, file: str) -> list[tuple[int, str]]:
    """Return the lines of `content` that are not blank, without their ends, and the number of each (from 1).

    Raises:
        DataError: Some lines end in a lone CR and others in LF or CRLF.
    """
    ends: dict[str, list[int]] = {}
    lines = []
    for number, match in enumerate(_LINE.finditer(content), start=1):
        line, end = match.groups()
        if end == "\r" or end not in ends:
            ends.setdefault(end, []).append(number)
        if line.strip():
            lines.append((number, line))
    check_ends(file, ends)
    return lines


def parse(content: str, *, file: str, columns: Sequence[str], pattern: str) -> Records:
    """Return the wanted groups of each line's full match; blank lines are skipped, unmatched groups are None.

    Raises:
        DataError: Lines do not match, or the pattern has no group of a wanted name.
    """
    expression = re.compile(pattern)
    choose(file, columns, list(expression.groupindex))
    records = Records(file, [], {name: [] for name in columns})
    unmatched: list[tuple[int, object]] = []
    for number, line in numbered(content, file=file):
        match = expression.fullmatch(line)
        if match is None:
            unmatched.append((number, line))
            continue
        records.lines.append(number)
        for name in columns:
            records.columns[name].append(match[name])
    if unmatched:
        raise fault(file, f"not matching {pattern!r}", unmatched, "Correct the lines, or `pattern`.")
    return records
