"""Rows of a file with one JSON object a line, strictly: no NaN, no key twice, texts are strings."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from pipeline.examples.pattern import numbered
from pipeline.examples.records import Records, choose, fault


class _Number(str):
    """A JSON number, spelled as in the file."""

    __slots__ = ()


def parse(content: str, *, file: str, columns: Sequence[str], text: str) -> Records:
    """Return the wanted columns; numbers and booleans as the file spells them, null and an absent key as None.

    Raises:
        DataError: Lines that are not one JSON object, lists or objects in a wanted column, a `text` that is not a
            string, or a wanted column that no line has.
    """
    lines: list[int] = []
    cells: dict[str, list[Any]] = {name: [] for name in columns}
    names: dict[str, None] = {}
    bad: list[tuple[int, object]] = []
    for number, line in numbered(content, file=file):
        try:
            row = _object(line)
        except (ValueError, RecursionError) as error:
            bad.append((number, str(error)))
            continue
        names |= dict.fromkeys(row)
        lines.append(number)
        for name in columns:
            cells[name].append(row.get(name))
    if bad:
        whole = " The file looks like one list; write its objects one a line." if content.lstrip()[0] == "[" else ""
        raise fault(file, "that are not one JSON object", bad, f"Write one complete object a line.{whole}")
    choose(file, columns, list(names))
    _check(file, lines, cells, text)
    return Records(file, lines, {name: [_as_written(cell) for cell in column] for name, column in cells.items()})


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


def _check(file: str, lines: list[int], cells: dict[str, list[Any]], text: str) -> None:
    for name, column in cells.items():
        rows = list(zip(lines, column, strict=True))
        nested = [(line, cell) for line, cell in rows if isinstance(cell, list | dict)]
        if nested:
            remedy = "A column holds strings, numbers, booleans or null."
            raise fault(file, "with a list or an object", nested, remedy, column=name)
        odd = [(line, cell) for line, cell in rows if not isinstance(cell, str) or isinstance(cell, _Number)]
        if name == text and odd:
            found = [(line, "null or no such key" if cell is None else cell) for line, cell in odd]
            raise fault(
                file, "whose text is not a string", found, "Write it as a JSON string or remove it.", column=name
            )


def _as_written(cell: str | bool | None) -> str | None:
    return str(cell).lower() if isinstance(cell, bool) else cell
