"""Rows of a file with one JSON object per line, strictly: no NaN where it is read, no key twice, texts are strings."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any

from pipeline.core.errors import listed
from pipeline.examples.faults import Faults, RowFault, find_columns
from pipeline.examples.lines import number_lines
from pipeline.examples.records import SEVERAL_VALUES, RawRow
from pipeline.settings.ingest import HOLDINGS, Holds

_MOST_NAMES = 1000  # of columns, for a message


class _Number(str):
    """A JSON number, spelled as in the file."""

    __slots__ = ()
    __repr__ = str.__str__


class _Constant(_Number):
    """NaN or an infinity, which JSON does not have, spelled as in the file."""

    __slots__ = ()


def read_json_lines(
    lines: Iterable[str], *, file: str, columns: Sequence[str], complete: bool = False
) -> Iterator[RawRow]:
    """Yield the wanted values of each line: as JSON has them, numbers as the text in the file, an absent key as None.

    Blank lines are skipped. If `complete`, each line must have each of `columns`.

    Raises:
        DataError: A wanted column that no line has.
        RowErrors: Lines that are not one JSON object, lack a key that they must have or hold NaN in a wanted column, or
            lone CRs among other line ends.
    """
    bad, lacking = RowFault(file, "that are not one JSON object"), RowFault(file, "without a key")
    constant = RowFault(file, "with NaN or Infinity, which JSON does not have")
    wanted, unseen, names, first = set(columns), set(columns), dict[str, None](), ""
    faults = Faults()
    with faults.gather():
        for number, line in number_lines(lines, file=file):
            if not (start := line.lstrip()[:1]):
                continue
            first = first or start
            try:
                values = _object(line)
            except (ValueError, RecursionError) as error:
                bad.add(number, str(error))
                continue
            if unseen:
                names |= dict.fromkeys(islice(values, _MOST_NAMES - len(names)))
                unseen -= values.keys()
            cells = [values.get(name) for name in columns]
            if complete and not values.keys() >= wanted:
                lacking.add(number, ", ".join(name for name in columns if name not in values))
            if any(type(cell) is _Constant for cell in cells):
                constant.add(number, ", ".join(f"{name}: {cell}" for name, cell in zip(columns, cells, strict=True)))
            else:
                yield number, cells
    whole = " The file looks like one list; write its objects one a line." if first == "[" else ""
    with faults.gather():
        bad.check(f"Write one complete object a line.{whole}")
    if unseen and (names or not bad.count):
        find_columns(file, columns, list(names | dict.fromkeys(wanted - unseen)))
    with faults.gather():
        constant.check("Write null instead; `DataFrame.to_json(lines=True, orient='records')` of pandas does.")
    with faults.gather():
        lacking.check("Write it, null if there is nothing, or correct the names of the columns.")
    faults.check()


def as_texts(
    rows: Iterable[RawRow],
    *,
    file: str,
    columns: Sequence[str],
    texts: Sequence[str],
    lists: Mapping[str, Holds] = MappingProxyType({}),
) -> Iterator[RawRow]:
    """Yield the rows of `read_json_lines` with booleans and numbers as the file spells them, null as None.

    Raises:
        RowErrors: Lists or objects in a column, or one of `texts` that is neither a string nor null; in a column of
            `lists`, what is neither such a list nor null.
    """
    nested = {name: RowFault(file, "with a list or an object", column=name) for name in columns if name not in lists}
    odd = {
        **{name: RowFault(file, "whose text is not a string", column=name) for name in texts},
        **{name: RowFault(file, f"without {HOLDINGS[holds]}", column=name) for name, holds in lists.items()},
    }
    faults = Faults()
    with faults.gather():
        for number, values in rows:
            bad = False
            for name, cell in zip(columns, values, strict=True):
                if name in nested and isinstance(cell, list | dict):
                    nested[name].add(number, cell)
                    bad = True
                elif name in odd and cell is not None and not _fits(cell, lists.get(name, "text")):
                    odd[name].add(number, cell)
                    bad = True
            if not bad:
                yield (
                    number,
                    [
                        _write(cell) if lists.get(name) == "json" else _spell(cell)
                        for name, cell in zip(columns, values, strict=True)
                    ],
                )
    for name, fault in nested.items():
        with faults.gather():
            fault.check("A column holds strings, numbers, booleans or null." if name in odd else SEVERAL_VALUES)
    for name, fault in odd.items():
        with faults.gather():
            fault.check(
                f"Write {HOLDINGS[lists[name]]}." if name in lists else "Write it as a JSON string or remove it."
            )
    faults.check()


def _fits(cell: object, holds: Holds) -> bool:
    """Return whether a value of JSON is what its column holds."""
    if holds == "json":
        return True
    if holds == "text":
        return not isinstance(cell, bool | _Number)
    parts = cell if isinstance(cell, list) else [None]
    plain = (str, bool) if holds == "cells" else str
    return holds != "bytes" and all(
        isinstance(part, plain) and (holds == "cells" or not isinstance(part, _Number)) for part in parts
    )


def _write(cell: Any) -> str | None:
    """Return a value of JSON as its text, numbers as numbers."""
    return None if cell is None else json.dumps(_numbered(cell), ensure_ascii=False)


def _numbered(cell: Any) -> Any:
    if isinstance(cell, _Number):
        return json.loads(cell)
    if isinstance(cell, list):
        return [_numbered(part) for part in cell]
    return {key: _numbered(part) for key, part in cell.items()} if isinstance(cell, dict) else cell


def _spell(cell: Any) -> Any:
    """Return a value of JSON with its booleans as JSON spells them."""
    if isinstance(cell, list):
        return [_spell(part) for part in cell]
    return str(cell).lower() if isinstance(cell, bool) else cell


def _object(line: str) -> dict[str, Any]:
    if line.lstrip().startswith("["):  # not parsed: it may be the whole file
        raise ValueError("a list")
    value = json.loads(
        line, parse_int=_Number, parse_float=_Number, parse_constant=_Constant, object_pairs_hook=_unique
    )
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__}")  # noqa: TRY004 - the caller collects what is wrong with a line
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"key {listed([name])} twice")
    return row
