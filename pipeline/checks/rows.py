"""Tests of single rows, and the rows that fail them: counted, the first of them listed."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.chunks import Chunks
from pipeline.evaluate.metrics import Ints
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


def count_failures(
    chunks: Chunks, tests: Mapping[str, RowTest], *, question: str | None = None
) -> dict[str, FailedRows]:
    """Return the rows that fail each test, by its name; the examples are read once, and once more for lines.

    With a `question`, the counts of chunks are kept (see `Chunks.compute`), but for those of marks.
    """
    own = {name: test for name, test in tests.items() if not chunks.marks & {*test.needs}}
    others = {name: test for name, test in tests.items() if name not in own}
    tallies = {name: _Tally() for name in tests}
    for counts, part in ((_count(chunks, own, question), own), (_count(chunks, others, None), others)):
        for row in counts:
            for name in part:
                tallies[name].add(row["rows"], *row[name])
    places = _locate(chunks, sorted({at for tally in tallies.values() for at in tally.positions}))
    return {name: tallies[name].finish(places) for name in tests}


def count_values(chunks: Chunks, column: str, question: str) -> Counter[Any]:
    """Return how many rows have each value of a column; a `question` stands for one column of some rows."""

    def count(chunk: pa.Table) -> list[tuple[Any, int]]:
        return [*Counter(chunk[column].to_pylist()).items()]

    counts: Counter[Any] = Counter()
    for part in chunks.compute_json(question, (column,), count):
        counts.update(dict(part))
    return counts


def locate(chunks: Chunks, positions: Ints) -> tuple[Place, ...]:
    """Return where the first of some rows start, as far as that is known; `positions` rise."""
    first = positions[:MOST_LINES].tolist()
    places = _locate(chunks, first)
    return tuple(place for at in first if (place := places[at]) is not None)


def _count(chunks: Chunks, tests: Mapping[str, RowTest], question: str | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of each chunk and, by the name of each test, those judged and failed, and the first failed."""

    def count(chunk: pa.Table) -> dict[str, Any]:
        return {"rows": chunk.num_rows, **{name: _judge(test, chunk) for name, test in tests.items()}}

    if not tests:
        return iter(())
    columns = [*dict.fromkeys(name for test in tests.values() for name in (*test.needs, test.shown) if name)]
    return map(count, chunks.read(*columns)) if question is None else chunks.compute_json(question, columns, count)


def _judge(test: RowTest, chunk: pa.Table) -> tuple[int, int, list[int], list[Any]]:
    mask = test.fails(chunk)
    failed = pc.sum(mask).as_py() or 0
    first = (
        np.flatnonzero(pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False))[:MOST_LINES]
        if failed
        else ()
    )
    values = chunk[test.shown].take(pa.array(first, pa.int64())).to_pylist() if test.shown else []
    return chunk.num_rows - mask.null_count, failed, [int(at) for at in first], values


def _locate(chunks: Chunks, positions: Sequence[int]) -> dict[int, Place | None]:
    """Return where the rows at some positions, rising, start."""
    places, start = dict[int, Place | None](), 0
    if not positions:
        return places
    columns = [name for name in ("row", "file") if name in chunks.schema.names]
    for chunk in chunks.read(*columns):
        own = [at - start for at in positions if start <= at < start + chunk.num_rows]
        places |= zip((at + start for at in own), places_of(chunk.take(pa.array(own, pa.int64()))), strict=True)
        start += chunk.num_rows
        if start > positions[-1]:
            break
    return places


class _Tally:
    """The count of the rows that fail one test."""

    def __init__(self) -> None:
        self.positions = list[int]()
        self._total = self._judged = self._rows = 0
        self._values: list[Any] = []

    def add(self, rows: int, judged: int, failed: int, first: Sequence[int], values: Sequence[Any]) -> None:
        missing = MOST_LINES - len(self.positions)
        self.positions += [self._total + at for at in first[:missing]]
        self._values += values[:missing]
        self._total += rows
        self._judged += judged
        self._rows += failed

    def finish(self, places: Mapping[int, Place | None]) -> FailedRows:
        lines = tuple(place for at in self.positions if (place := places[at]) is not None)
        return FailedRows(self._total, self._judged, self._rows, lines, tuple(self._values))


def _where_given(values: pa.Array, mask: pa.Array) -> pa.Array:
    """Return the mask, null where a value is missing."""
    return pc.if_else(pc.is_valid(values), mask, pa.scalar(None, pa.bool_()))
