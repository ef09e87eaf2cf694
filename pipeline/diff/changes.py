"""The changes between two revisions apart from the metrics: parameters, packages, rows, findings, learning curves."""

import json
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.format import shorten, visible
from pipeline.diff.document import LARGEST_NUMBER, MOST_ROWS, Change, LossPoint, RowChanges
from pipeline.evaluate.kind import Measures
from pipeline.settings.fields import SPLITS

CHANGE_WIDTH = 120


class SplitLabel(NamedTuple):
    """The split and the truth of an example, in words."""

    split: str
    label: str


# ------------------------------------------------------------------------------------------------ values
def compare_values(base: Mapping[str, str], head: Mapping[str, str]) -> list[Change]:
    """Return the names whose values differ, those of the head first, in their order."""
    names = dict.fromkeys((*head, *base))
    return [
        Change(name=sanitize(name), base=_sanitize(base.get(name)), head=_sanitize(head.get(name)))
        for name in names
        if base.get(name) != head.get(name)
    ]


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Return a document as `{dotted key: JSON of the value}`; lists are values."""
    if not isinstance(value, dict) or not value:
        return {prefix.rstrip("."): json.dumps(value, ensure_ascii=False, default=str)}
    leaves: dict[str, str] = {}
    for key, child in value.items():
        leaves |= flatten(child, f"{prefix}{key}.")
    return leaves


def sanitize(text: str) -> str:
    """Return a text as one short line without characters that hide or act."""
    return shorten(visible(text), CHANGE_WIDTH)


def _sanitize(text: str | None) -> str | None:
    return None if text is None else sanitize(text)


# ------------------------------------------------------------------------------------------------ tables of a task
def parse_rows(measures: Measures, table: pa.Table) -> dict[str, SplitLabel]:
    """Return the split and truth of each example of a table that `ingest` wrote, by its id.

    Raises:
        DataError: It is not such a table, or an older version wrote it.
    """
    try:
        columns = (table["id"].to_pylist(), table["split"].to_pylist(), measures.truths(table))
    except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise DataError(f"`ingest` does not write such a table ({error!r})") from error
    return {key: SplitLabel(split, label) for key, split, label in zip(*columns, strict=True)}


def compare_rows(base: Mapping[str, SplitLabel], head: Mapping[str, SplitLabel]) -> list[RowChanges]:
    """Return how the examples of each split differ, by their ids; splits without a difference are left out."""
    changes = []
    for split in SPLITS:
        old = {key: row.label for key, row in base.items() if row.split == split}
        new = {key: row.label for key, row in head.items() if row.split == split}
        change = RowChanges(
            split=split,
            base=len(old),
            head=len(new),
            added=sum(key not in base for key in new),
            removed=sum(key not in head for key in old),
            relabelled=sum(old.get(key, label) != label for key, label in new.items()),
            moved=sum(key in base and key not in old for key in new),
        )
        if change.added or change.removed or change.relabelled or change.moved or len(old) != len(new):
            changes.append(change)
    return changes


# ------------------------------------------------------------------------------------------------ documents of a task
def compare_findings(base: Document, head: Document) -> list[Change]:
    """Return the checks of the data that came out otherwise, at most `MOST_ROWS`; those that still pass are left out.

    The documents may have any shape; what is no check is left out.
    """
    old, new = _list_findings(base), _list_findings(head)
    passed = {title for title in old.keys() & new.keys() if _passed(old[title]) and _passed(new[title])}
    changes = compare_values(*({title: side[title] for title in side if title not in passed} for side in (old, new)))
    return changes[:MOST_ROWS]


def learning_curve(history: Document | None) -> tuple[LossPoint, ...]:
    """Return the loss on validation in the course of a training, at most the last `MOST_ROWS` points.

    The document may have any shape; what is no point is left out, and what is no loss is None.
    """
    points = (history or {}).get("evaluations")
    return tuple(
        LossPoint(step=point["step"], loss=finite_number(point.get("loss")))
        for point in (points[-MOST_ROWS:] if isinstance(points, list) else ())
        if isinstance(point, dict) and type(point.get("step")) is int and 0 <= point["step"] <= LARGEST_NUMBER
    )


def finite_number(value: object) -> float | None:
    """Return a value of a committed document as a number; None if it is none, infinite, or too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        return None
    return float(value)


def _list_findings(document: Document) -> dict[str, str]:
    checks = document.get("checks")
    findings = {}
    for check in checks if isinstance(checks, list) else ():
        words = [check.get(key) if isinstance(check, dict) else None for key in ("title", "outcome", "found")]
        match words:
            case [str(title), str(outcome), str(found)]:
                findings[title] = f"{outcome}: {found}"
    return findings


def _passed(finding: str) -> bool:
    return finding.startswith("passed: ")
