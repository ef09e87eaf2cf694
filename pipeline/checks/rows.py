"""Tests of single rows, and the rows that fail them: counted, the first of them listed."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.chunks import Chunks
from pipeline.examples.records import Place, places_of

MOST_LINES = 5


class RowTest(NamedTuple):
    """A test of each row.

    Args:
        needs: The columns it looks at.
        fails: `fails(chunk)` says of each row of a chunk with these columns whether it fails; null if there is nothing
            to judge.
        shown: The column whose values the failing rows may show: names and classes, never texts.
    """

    needs: tuple[str, ...]
    fails: Callable[[pa.Table], pa.Array]
    shown: str | None = None


class FailedRows(NamedTuple):
    """The rows that fail a test: of `total` rows `judged` were, and `rows` failed.

    `lines` are where the first of them start, as far as that is known, `values` what the first of them may show.
    """

    total: int
    judged: int
    rows: int
    lines: tuple[Place, ...]
    values: tuple[Any, ...]


def is_missing(column: str) -> RowTest:
    """Return the test that fails rows without a value in a column."""
    return RowTest((column,), lambda chunk: pc.is_null(chunk[column], nan_is_null=True))


def is_unknown(column: str, known: Collection[object]) -> RowTest:
    """Return the test that fails values that are not among the `known`, and shows them."""

    def fails(chunk: pa.Table) -> pa.Array:
        values = chunk[column]
        return _where_given(values, pc.invert(pc.is_in(values, value_set=pa.array([*known], values.type))))

    return RowTest((column,), fails, shown=column)


def is_shorter(column: str, least: int) -> RowTest:
    """Return the test that fails texts of fewer than `least` characters."""
    return RowTest((column,), lambda chunk: pc.less(pc.utf8_length(chunk[column]), least))


def is_longer(column: str, most: int) -> RowTest:
    """Return the test that fails texts of more than `most` characters."""
    return RowTest((column,), lambda chunk: pc.greater(pc.utf8_length(chunk[column]), most))


def matches(column: str, pattern: str) -> RowTest:
    """Return the test that fails texts with a regular expression in them."""
    return RowTest((column,), lambda chunk: pc.match_substring_regex(chunk[column], pattern))


def is_marked(column: str, *, of: str | None = None) -> RowTest:
    """Return the test that fails rows at which `column` is true; a row without a value in `of` is not judged."""
    if of is None:
        return RowTest((column,), lambda chunk: chunk[column])
    return RowTest((column, of), lambda chunk: _where_given(chunk[of], chunk[column]))


def count_failures(chunks: Chunks, tests: Mapping[str, RowTest]) -> dict[str, FailedRows]:
    """Return the rows that fail each test, by its name; the examples are read once."""
    columns = dict.fromkeys(name for test in tests.values() for name in (*test.needs, test.shown) if name)
    places = [name for name in ("row", "file") if name in chunks.schema.names]
    tallies = {name: _Tally(test, places) for name, test in tests.items()}
    for chunk in chunks.read(*dict.fromkeys([*columns, *places])):
        for tally in tallies.values():
            tally.add(chunk)
    return {name: tally.finish() for name, tally in tallies.items()}


class _Tally:
    """The count of the rows that fail one test."""

    def __init__(self, test: RowTest, places: list[str]) -> None:
        self._test = test
        self._shown = [*places, *([test.shown] if test.shown and test.shown not in places else [])]
        self._total = self._judged = self._rows = 0
        self._lines: list[Place] = []
        self._values: list[Any] = []

    def add(self, chunk: pa.Table) -> None:
        mask = self._test.fails(chunk)
        failed = pc.sum(mask).as_py() or 0
        self._total += chunk.num_rows
        self._judged += chunk.num_rows - mask.null_count
        self._rows += failed
        if failed and len(self._lines) < MOST_LINES:
            self._keep(chunk.select(self._shown).filter(mask))

    def _keep(self, failed: pa.Table) -> None:
        lines = [place for place in places_of(failed) if place is not None]
        self._lines += lines[: MOST_LINES - len(self._lines)]
        if self._test.shown:
            self._values += failed[self._test.shown].slice(0, MOST_LINES - len(self._values)).to_pylist()

    def finish(self) -> FailedRows:
        return FailedRows(self._total, self._judged, self._rows, tuple(self._lines), tuple(self._values))


def _where_given(values: pa.Array, mask: pa.Array) -> pa.Array:
    """Return the mask, null where a value is missing."""
    return pc.if_else(pc.is_valid(values), mask, pa.scalar(None, pa.bool_()))
