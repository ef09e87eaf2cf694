"""The table of a file: its layout, its columns, and the cells of its first rows."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.examples.files import open_file
from pipeline.examples.read import Layout, Limits
from pipeline.project.columns import Column, measure_columns
from pipeline.project.layout import guess_layout, read_cells

_ROWS = 100_000  # that are looked at
_SQUAD = re.compile(rb'\s*\{\s*("version"\s*:\s*"[^"]*"\s*,\s*)?"data"\s*:\s*\[')


class Table(NamedTuple):
    """A file that was looked at: its columns as measured, and their cells by name."""

    path: Path
    layout: Layout
    limits: Limits
    columns: Sequence[Column]
    cells: Mapping[str, Sequence[Any]]


def look_at(path: Path, limits: Limits) -> Table:
    """Return the layout, the columns and the first rows of a file.

    Raises:
        UsageError: It is one JSON list.
        DataError: It breaks its format.
        EnvironmentFault: It cannot be read.
    """
    layout = guess_layout(path, limits)
    if layout.format == "jsonl" and _is_squad(path, limits):
        layout = layout._replace(format="squad")
    names, rows = read_cells(path, layout, limits, rows=_ROWS)
    cells = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    return Table(path, layout, limits, measure_columns(names, rows), cells)


def _is_squad(path: Path, limits: Limits) -> bool:
    with open_file(path, max_bytes=limits.file) as stream:
        return bool(_SQUAD.match(stream.read(1000)))
