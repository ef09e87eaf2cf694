"""A number of the frame `measures`, with the rows behind it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.checks.rows import MOST_LINES, FailedRows
from pipeline.examples.records import Place


class Measure(NamedTuple):
    """A number with the rows behind it: how many, and the lines of the first.

    `reason` says why there is no number, or what may be missing in it; `shown` is said in place of the number.
    """

    value: float | None
    rows: int = 0
    lines: tuple[Place, ...] = ()
    reason: str | None = None
    shown: str | None = None


def ratio(part: int, whole: int) -> float:
    """Return `part / whole`; 1.0 if `whole` is 0, so that an empty table fails the check instead of passing it."""
    return part / whole if whole else 1.0


def measure_failed(failed: FailedRows) -> Measure:
    """Return the share of rows that fail a test."""
    return Measure(ratio(failed.rows, failed.total), failed.rows, failed.lines)


def measure_listed(part: Mapping[str, Any], rows: int) -> Measure:
    """Return the share that some rows, which ingest has counted and listed, are of all."""
    return Measure(ratio(part["rows"], rows), part["rows"], tuple(part["lines"][:MOST_LINES]))
