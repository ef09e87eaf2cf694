"""The plan of a run, as values, JSON, text and Markdown: a verdict and its reasons for each stage.

Nothing here knows DVC or Prefect.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from pipeline.core.errors import UsageError
from pipeline.core.format import escape_markdown, markdown_table, shorten
from pipeline.core.stage import KINDS

StageVerdict = Literal["unchanged", "restore", "run", "maybe"]
Resource = Literal["cpu", "gpu", "network"]
VERDICTS: dict[StageVerdict, str] = {
    "unchanged": "nothing to do",
    "restore": "its outputs are restored from the cache",
    "run": "its command runs; if an earlier stage runs too, it may still be restored",
    "maybe": "an earlier stage runs, and may give the same output as last time",
}
NOT_THERE = "missing"  # the reason of a stage that cannot run: an input that is not there and that no stage makes
DIGEST = re.compile(r"[0-9a-f]{32,64}")
VALUE_WIDTH = 60  # characters of a parameter's value
REASONS_SHOWN = 4


class StageReason(NamedTuple):
    """Why a stage is affected: `what` changed (command, dependency, output, parameter or upstream), from old to new.

    `NOT_THERE` names an input that is not there.
    """

    what: str
    name: str
    old: Any = None
    new: Any = None


class PlannedStage(NamedTuple):
    """One stage of a plan.

    `needs` are the stages it depends on, `seconds` is the median of its recent runs or, if it was never timed, the mean
    of its repeats with other seeds (None if there are none), and `timeout` the number of seconds after which it is
    stopped (None for no limit). A `portable` stage is worth being run on another machine: it computes, and is not one
    of those that take no time.
    """

    name: str
    verdict: StageVerdict
    reasons: tuple[StageReason, ...]
    needs: tuple[str, ...]
    resource: Resource
    seconds: float | None
    timeout: float | None = None
    portable: bool = False


def list_affected(plan: Iterable[PlannedStage]) -> list[str]:
    """Return the names of the stages that a run would touch, or may touch."""
    return [stage.name for stage in plan if stage.verdict != "unchanged"]


def require_inputs(plan: Iterable[PlannedStage]) -> None:
    """Require that no stage of a plan lacks an input.

    Raises:
        UsageError: Inputs are not there, and no stage makes them.
    """
    missing: dict[str, str] = {}
    for stage in plan:
        missing |= {reason.name: stage.name for reason in stage.reasons if reason.what == NOT_THERE}
    if missing:
        lines = "".join(f"\n  {stage}: {path}" for path, stage in missing.items())
        raise UsageError(
            f"{len(missing)} input(s) not found, and no stage makes them:{lines}\nPut them there, or correct `file` in "
            "params.yaml (a path below data/raw)."
        )


def plan_to_json(plan: Sequence[PlannedStage]) -> list[dict[str, Any]]:
    """Return the plan as JSON values: one object per stage, with its fields as keys."""
    return [{**stage._asdict(), "reasons": [reason._asdict() for reason in stage.reasons]} for stage in plan]


def plan_to_text(plan: Sequence[PlannedStage]) -> str:
    """Return the affected stages as aligned columns for a terminal, then a line of totals."""
    rows = [("stage", "verdict", "recent", "why"), *_rows(plan)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[3]]).rstrip() for row in rows]
    return "\n".join([*(lines if len(rows) > 1 else []), summarize_plan(plan)])


def plan_to_markdown(plan: Sequence[PlannedStage]) -> str:
    """Return the affected stages as a GitHub table, then a line of totals."""
    rows = [[escape_markdown(text) for text in row] for row in _rows(plan)]
    table = markdown_table(("Stage", "Verdict", "Recent", "Why"), rows, right=(2,))
    return f"{table}\n{summarize_plan(plan)}" if rows else summarize_plan(plan)


def summarize_plan(plan: Sequence[PlannedStage]) -> str:
    """Return the number of stages of each verdict, and the time expected from recent runs."""
    counts = [
        f"{count} {verdict}" for verdict in VERDICTS if (count := sum(stage.verdict == verdict for stage in plan))
    ]
    return "; ".join([", ".join(counts) or "no stages", *_expected(plan)])


def _expected(plan: Sequence[PlannedStage]) -> list[str]:
    """Return what is known of the time that the commands of a plan take, and how many of them were never timed."""
    certain, possible = (
        [stage.seconds for stage in plan if stage.verdict == verdict and stage.seconds is not None]
        for verdict in ("run", "maybe")
    )
    untimed = sum(stage.seconds is None for stage in plan if stage.verdict in ("run", "maybe"))
    parts = [f"expected {format_duration(sum(certain))} of work"] if certain else []
    if possible:
        parts.append(f"up to {format_duration(sum(certain + possible))}")
    if untimed:
        parts.append(f"{untimed} never timed{'' if parts else ', expected time unknown'}")
    return parts


def describe_reason(reason: StageReason) -> str:
    """Return a reason in words, on one line; digests are left out, since they say nothing to a person."""
    if reason.what == "parameter" and not all(_is_digest(value) for value in (reason.old, reason.new)):
        return f"{reason.name} {_format_value(reason.old)} -> {_format_value(reason.new)}"
    if reason.what == "parameter":
        stage, _, kind = reason.name.partition(".")
        return f"code of {stage}" if stage.isidentifier() and kind in ("", *KINDS) else f"{reason.name} changed"
    if reason.what == "command":
        return "command changed" if reason.old else "never ran"
    if reason.what == NOT_THERE:
        return f"{reason.name} is not there"
    if reason.what == "upstream":
        return f"after {reason.name}"
    return " ".join(str(part) for part in (reason.what, reason.name, reason.new) if part)


def join_reasons(reasons: Sequence[StageReason]) -> str:
    """Return the first reasons in words, each once, and how many more there are."""
    words = list(dict.fromkeys(map(describe_reason, reasons)))
    rest = len(words) - REASONS_SHOWN
    return ", ".join([*words[:REASONS_SHOWN], *([f"{rest} more"] if rest > 0 else [])])


def format_duration(seconds: float) -> str:
    """Return a duration for people: `0.4 s`, `12 s`, `0:02:05`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return str(timedelta(seconds=round(seconds)))


def _rows(plan: Sequence[PlannedStage]) -> list[tuple[str, str, str, str]]:
    return [
        (
            stage.name,
            stage.verdict,
            "unknown" if stage.seconds is None else format_duration(stage.seconds),
            join_reasons(stage.reasons),
        )
        for stage in plan
        if stage.verdict != "unchanged"
    ]


def _is_digest(value: object) -> bool:
    return value is None or (isinstance(value, str) and DIGEST.fullmatch(value) is not None)


def _format_value(value: object) -> str:
    return "nothing" if value is None else shorten(repr(value), VALUE_WIDTH)
