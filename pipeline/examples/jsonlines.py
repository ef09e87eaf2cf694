"""Rows of a file with one JSON object a line, strictly: no NaN, no key twice, texts are strings."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from pipeline.examples.lines import number_lines
from pipeline.examples.records import RawRow, RowFault, find_columns


class _Number(str):
    """A JSON number, spelled as in the file."""

    __slots__ = ()
    __repr__ = str.__str__


def read_json_lines(
    lines: Iterable[str], *, file: str, columns: Sequence[str], complete: bool = False
) -> Iterator[RawRow]:
    """Yield the wanted values of each line: as JSON has them, numbers as the text in the file, an absent key as None.

    Blank lines are skipped. If `complete`, each line must have each of `columns`.

    Raises:
        DataError: Lines that are not one JSON object or lack a key that they must have, a wanted column that no line
            has, or lone CRs among other line ends.
    """
    bad, lacking = RowFault(file, "that are not one JSON object"), RowFault(file, "without a key")
    wanted, unseen, names, opening = set(columns), set(columns), dict[str, None](), ""
    for number, line in number_lines(lines, file=file):
        if not line.strip():
            continue
        opening = opening or line.lstrip()[0]
        try:
            values = _object(line)
        except (ValueError, RecursionError) as error:
            bad.add(number, str(error))
            continue
        if unseen:
            names |= dict.fromkeys(values)
            unseen -= values.keys()
        if complete and not values.keys() >= wanted:
            lacking.add(number, ", ".join(name for name in columns if name not in values))
        yield number, [values.get(name) for name in columns]
    whole = " The file looks like one list; write its objects one a line." if opening == "[" else ""
    bad.check(f"Write one complete object a line.{whole}")
    if unseen:
        find_columns(file, columns, list(names))
    lacking.check("Write it, null if there is nothing, or correct the names of the columns.")


def as_texts(rows: Iterable[RawRow], *, file: str, columns: Sequence[str], text: str) -> Iterator[RawRow]:
    """Yield the rows of `read_json_lines` with booleans and numbers as the file spells them.

    Raises:
        DataError: Lists or objects in a column, or a `text` that is not a string.
    """
    nested = {name: RowFault(file, "with a list or an object", column=name) for name in columns}
    odd = RowFault(file, "whose text is not a string", column=text)
    place = columns.index(text)
    for number, values in rows:
        value = values[place]
        if not isinstance(value, str) or isinstance(value, _Number):
            odd.add(number, "null or no such key" if value is None else value)
        cells: list[str | None] = []
        for name, cell in zip(columns, values, strict=True):
            if isinstance(cell, list | dict):
                nested[name].add(number, cell)
                cells.append(None)
            else:
                cells.append(str(cell).lower() if isinstance(cell, bool) else cell)
        yield number, cells
    for name, fault in nested.items():
        fault.check("A column holds strings, numbers, booleans or null.")
        if name == text:
            odd.check("Write it as a JSON string or remove it.")


def _object(line: str) -> dict[str, Any]:
    value = json.loads(
        line, parse_int=_Number, parse_float=_Number, parse_constant=_refuse_constant, object_pairs_hook=_unique
    )
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__}")  # noqa: TRY004 - the caller collects what is wrong with a line
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} twice")
    return row


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
