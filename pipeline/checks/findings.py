"""From what the suite said to findings: in its order, without a word of the data, with a gate and a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

import pyarrow as pa

from pipeline.checks.measures import LINES, Measurement
from pipeline.checks.suite import Check
from pipeline.core.errors import DataError, EnvironmentFault, listed

NOTHING = "nothing to check"
NAMES = ("split", "label")
CELL = 60


class Verdict(NamedTuple):
    """What came of one check.

    Of `total` values `judged` were there (both None for a check of the columns) and `failures` failed, the first of
    them at `positions` of the frame; `error` says why the check could not run.
    """

    success: bool
    judged: int | None = None
    total: int | None = None
    failures: int = 0
    positions: tuple[int, ...] = ()
    error: str | None = None


class Finding(TypedDict):
    """One entry of `checks` in findings.json."""

    check: str
    title: str
    severity: str
    outcome: Literal["passed", "failed", "error"]
    expected: str
    found: str
    count: int
    lines: list[int]
    reason: str | None


def judge(
    checks: Sequence[Check],
    verdicts: Sequence[Verdict],
    frames: Mapping[str, pa.Table],
    measures: Mapping[str, Measurement],
) -> list[Finding]:
    """Return one finding a check, in the order of `checks`; `measures` are the numbers some of them judged."""
    return [
        finding(check, verdict, frames[check.frame], measures.get(check.check))
        for check, verdict in zip(checks, verdicts, strict=True)
    ]


def finding(check: Check, verdict: Verdict, frame: pa.Table, measure: Measurement | None) -> Finding:
    """Return the finding of one check on `frame`.

    A check that had nothing to judge failed, unless the measure has a reason for having no number.
    """
    reason = verdict.error or (measure.reason if measure else None)
    empty = verdict.judged == 0 and reason is None
    lines = at(frame, "row", verdict.positions) if check.frame == "examples" else measure.lines if measure else ()
    return {
        "check": check.check,
        "title": check.title,
        "severity": check.severity,
        "outcome": "error" if verdict.error else "passed" if verdict.success and not empty else "failed",
        "expected": check.expected,
        "found": FOUND[check.frame](check, verdict, frame),
        "count": measure.rows if measure else verdict.failures,
        "lines": [line for line in lines if line is not None],
        "reason": NOTHING if empty else reason,
    }


def at(frame: pa.Table, column: str, positions: Sequence[int]) -> list[Any]:
    """Return the values of a column at some positions."""
    return list(frame[column].take(pa.array(positions, pa.int64())).to_pylist())


def gate(found: Sequence[Finding], checks: Sequence[Check], *, task: str, file: str) -> None:
    """Return if later stages may use the examples; `file` is where the lines are.

    Raises:
        EnvironmentFault: A check could not run, so that nobody knows.
        DataError: A critical check failed; the message has the table and what to do.
    """
    unknown = [f"{item['check']} ({item['reason']})" for item in found if item["outcome"] == "error"]
    if unknown:
        raise EnvironmentFault(
            f"{task}: {len(unknown)} of {len(found)} checks could not run, so the examples are neither good nor bad: "
            f"{'; '.join(unknown)}. Install the locked packages and run again."
        )
    failed = [item for item in found if item["outcome"] == "failed"]
    critical = {item["check"] for item in failed if item["severity"] == "critical"}
    if critical:
        remedies = "\n".join(f"  {check.check}: {check.remedy}" for check in checks if check.check in critical)
        raise DataError(
            f"{task}: {len(critical)} of {len(found)} checks failed that later stages stand on. "
            f"Lines are those of {file}.\n\n{table(failed)}\n\nWhat to do, then run `dvc repro`:\n{remedies}"
        )


def table(found: Sequence[Finding]) -> str:
    """Return the findings as lines of plain text with a heading, cells cut to 60 characters."""
    rows: list[tuple[str, ...]] = [("severity", "check", "expected", "found", "count", "lines")]
    for item in found:
        lines = ", ".join(map(str, item["lines"])) + (", …" if item["count"] > len(item["lines"]) > 0 else "")
        rows.append((item["severity"], item["check"], item["expected"], _seen(item), str(item["count"]), lines))
    rows = [tuple(cell if len(cell) <= CELL else cell[: CELL - 1] + "…" for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def summary(found: Sequence[Finding]) -> str:
    """Return how many checks passed and, where some warn, the table of those."""
    warnings = [item for item in found if item["outcome"] != "passed"]
    text = f"{len(found) - len(warnings)} of {len(found)} checks passed"
    return f"{text}; warnings:\n{table(warnings)}" if warnings else text


def _seen(item: Finding) -> str:
    """Return what was found and, in brackets, why nothing was."""
    return f"{item['found']} ({item['reason']})" if item["reason"] else item["found"]


def _rows(check: Check, verdict: Verdict, frame: pa.Table) -> str:
    """Return how many rows failed, and for names (never texts) which values the first of them had."""
    column = check.kwargs["column"]
    values = dict.fromkeys(at(frame, column, verdict.positions)) if column in NAMES else {}
    shown = listed(value for value in values if value is not None)
    return f"{verdict.failures} of {verdict.total} rows" + (f": {shown}" if shown else "")


def _names(_check: Check, _verdict: Verdict, frame: pa.Table) -> str:
    """Return the columns found."""
    return listed(frame.column_names, most=10)


def _types(_check: Check, verdict: Verdict, frame: pa.Table) -> str:
    """Return the columns of another type than expected, or that there are none."""
    pairs = zip(at(frame, "name", verdict.positions), at(frame, "type", verdict.positions), strict=True)
    return ", ".join(f"{listed([name])} {kind}" for name, kind in pairs) or "as expected"


def _extremes(check: Check, _verdict: Verdict, frame: pa.Table) -> str:
    """Return names with their numbers, those nearest to the limit first."""
    pairs = zip(frame["name"].to_pylist(), frame[check.kwargs["column"]].to_pylist(), strict=True)
    ordered = sorted(pairs, key=lambda pair: pair[1], reverse="max_value" in check.kwargs)
    shown = ", ".join(f"{listed([name], width=30)} {number:.4g}" for name, number in ordered[:LINES])
    return shown + (f" and {len(ordered) - LINES} more" if len(ordered) > LINES else "")


def _number(check: Check, _verdict: Verdict, frame: pa.Table) -> str:
    """Return the measure."""
    value = frame[check.kwargs["column"]][0].as_py()
    return "no number" if value is None else f"{value:.4g}"


FOUND: Mapping[str, Callable[[Check, Verdict, pa.Table], str]] = {
    "header": _names,
    "schema": _types,
    "examples": _rows,
    "splits": _extremes,
    "classes": _extremes,
    "measures": _number,
}
