"""The findings of the suite: in its order, without any text of the data, with a gate and a table."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

import pyarrow as pa

from pipeline.checks.measure import Measure
from pipeline.checks.rows import MOST_LINES
from pipeline.checks.suite import Check
from pipeline.core.errors import DataError, EnvironmentFault, listed
from pipeline.examples.records import Place

NOTHING_TO_CHECK = "nothing to check"
CELL_WIDTH = 60


class CheckResult(NamedTuple):
    """The result of one check.

    Of `total` values `judged` were present (both None for a check of the columns) and `failures` failed, the first of
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
    lines: list[Place]
    reason: str | None
    remedy: str | None


def collect_findings(
    checks: Sequence[Check],
    results: Sequence[CheckResult],
    frames: Mapping[str, pa.Table],
    measures: Mapping[str, Measure],
) -> list[Finding]:
    """Return one finding a check, in the order of `checks`; `measures` are the numbers some of them judged."""
    return [
        make_finding(check, result, frames[check.frame], measures.get(check.check))
        for check, result in zip(checks, results, strict=True)
    ]


def make_finding(check: Check, result: CheckResult, frame: pa.Table, measure: Measure | None) -> Finding:
    """Return the finding of one check on `frame`.

    A check with nothing to judge fails, unless its measure has a reason for having no number.
    """
    reason = result.error or (measure.reason if measure else None)
    empty = result.judged == 0 and reason is None
    shown = measure.shown if measure else None
    passed = result.success and not empty and not result.error
    return {
        "check": check.check,
        "title": check.title,
        "severity": check.severity,
        "outcome": "error" if result.error else "passed" if passed else "failed",
        "expected": check.expected,
        "found": shown or _DESCRIPTIONS[check.frame](check, result, frame),
        "count": measure.rows if measure else result.failures,
        "lines": list(measure.lines) if measure else [],
        "reason": NOTHING_TO_CHECK if empty else reason,
        "remedy": None if passed else check.remedy,
    }


def require_passed(findings: Sequence[Finding], checks: Sequence[Check], *, task: str, file: str) -> None:
    """Require every check to have run and every critical one to have passed; `file` is where the lines are.

    Raises:
        EnvironmentFault: A check could not run, so nothing is known.
        DataError: A critical check failed; the message has the table and the remedies.
    """
    errors = [f"{finding['check']} ({finding['reason']})" for finding in findings if finding["outcome"] == "error"]
    if errors:
        raise EnvironmentFault(
            f"{task}: {len(errors)} of {len(findings)} checks could not run, so the examples are neither good nor bad: "
            f"{'; '.join(errors)}. Install the locked packages and run again."
        )
    failed = [finding for finding in findings if finding["outcome"] == "failed"]
    critical = {finding["check"] for finding in failed if finding["severity"] == "critical"}
    if critical:
        raise DataError(
            f"{task}: {len(critical)} of {len(findings)} checks failed with severity critical; the later stages "
            f"would be unreliable. Lines are those of {file}.\n\n{format_findings(failed)}\n\n"
            f"Correct this, then run `dvc repro`. {_list_remedies(checks, critical, task)}"
        )


def format_findings(findings: Sequence[Finding]) -> str:
    """Return the findings as lines of plain text with a heading, cells cut to 60 characters."""
    rows: list[tuple[str, ...]] = [("severity", "check", "expected", "found", "count", "lines")]
    for finding in findings:
        lines = ", ".join(map(str, finding["lines"])) + (", …" if finding["count"] > len(finding["lines"]) > 0 else "")
        count = str(finding["count"])
        rows.append((finding["severity"], finding["check"], finding["expected"], _with_reason(finding), count, lines))
    rows = [tuple(cell if len(cell) <= CELL_WIDTH else cell[: CELL_WIDTH - 1] + "…" for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def summarize_findings(findings: Sequence[Finding], checks: Sequence[Check], *, task: str) -> str:
    """Return how many checks passed and, if some warn, their table and the remedies."""
    warnings = [finding for finding in findings if finding["outcome"] != "passed"]
    text = f"{len(findings) - len(warnings)} of {len(findings)} checks passed"
    if not warnings:
        return text
    remedies = _list_remedies(checks, {finding["check"] for finding in warnings}, task)
    return f"{text}; warnings:\n{format_findings(warnings)}\n{remedies}"


def _list_remedies(checks: Sequence[Check], failed: Collection[str], task: str) -> str:
    """Return the remedies of the failed checks, a line each, under where in params.yaml their keys are."""
    remedies = "".join(f"\n  {check.check}: {check.remedy}" for check in checks if check.check in failed)
    return f"Keys are of params.yaml; below `tasks.{task}` they hold for {task} alone:{remedies}"


def _with_reason(finding: Finding) -> str:
    """Return the value found and, in brackets, why there is none."""
    return f"{finding['found']} ({finding['reason']})" if finding["reason"] else finding["found"]


def _values_at(frame: pa.Table, column: str, positions: Sequence[int]) -> list[Any]:
    """Return the values of a column at some positions."""
    return list(frame[column].take(pa.array(positions, pa.int64())).to_pylist())


def _describe_columns(_check: Check, _result: CheckResult, frame: pa.Table) -> str:
    """Return the columns present."""
    return listed(frame.column_names, most=10)


def _describe_types(_check: Check, result: CheckResult, frame: pa.Table) -> str:
    """Return the columns of another type than expected, if any."""
    names, types = (_values_at(frame, column, result.positions) for column in ("name", "type"))
    return ", ".join(f"{listed([name])} {kind}" for name, kind in zip(names, types, strict=True)) or "as expected"


def _describe_extremes(check: Check, _result: CheckResult, frame: pa.Table) -> str:
    """Return names with their numbers, those nearest to the limit first."""
    pairs = zip(frame["name"].to_pylist(), frame[check.kwargs["column"]].to_pylist(), strict=True)
    ordered = sorted(pairs, key=lambda pair: pair[1], reverse="max_value" in check.kwargs)
    shown = ", ".join(f"{listed([name], width=30)} {number:.4g}" for name, number in ordered[:MOST_LINES])
    return shown + (f" and {len(ordered) - MOST_LINES} more" if len(ordered) > MOST_LINES else "")


def _describe_number(check: Check, _result: CheckResult, frame: pa.Table) -> str:
    """Return the measure."""
    value = frame[check.kwargs["column"]][0].as_py()
    return "no number" if value is None else f"{value:.4g}"


_DESCRIPTIONS: Mapping[str, Callable[[Check, CheckResult, pa.Table], str]] = {
    "header": _describe_columns,
    "schema": _describe_types,
    "splits": _describe_extremes,
    "classes": _describe_extremes,
    "measures": _describe_number,
}
