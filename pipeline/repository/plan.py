"""What a run would do with each stage, and how to show it: values only, nothing here knows DVC or Prefect."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, NamedTuple

Verdict = Literal["unchanged", "restore", "run", "maybe"]
Resource = Literal["cpu", "gpu", "network"]
VERDICTS: dict[Verdict, str] = {
    "unchanged": "nothing to do",
    "restore": "its outputs come out of the cache",
    "run": "its command runs; one behind another that runs may yet be restored",
    "maybe": "a stage before it runs, and may give the same output as the last time",
}
DIGEST = re.compile(r"[0-9a-f]{32,64}")
WIDTH = 60
MOST = 4


class Reason(NamedTuple):
    """Why a stage is affected: `what` changed (command, dependency, output, parameter or upstream) and how."""

    what: str
    name: str
    old: Any = None
    new: Any = None


class Step(NamedTuple):
    """One stage of a plan; `needs` are the stages before it, `seconds` what it took lately (None if never seen).

    `timeout` is the seconds after which it is given up, or None.
    """

    name: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    needs: tuple[str, ...]
    resource: Resource
    seconds: float | None
    timeout: float | None = None


def affected(plan: Iterable[Step]) -> list[str]:
    """Return the names of the stages that a run would touch, or may."""
    return [step.name for step in plan if step.verdict != "unchanged"]


def parameter_reasons(name: str, old: Any, new: Any) -> list[Reason]:
    """Return one reason for each leaf below `name` that differs; None stands for a value that is not there."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys((*old, *new))
        return [found for key in keys for found in parameter_reasons(f"{name}.{key}", old.get(key), new.get(key))]
    return [] if old == new else [Reason("parameter", name, old, new)]


def document(plan: Sequence[Step]) -> list[dict[str, Any]]:
    """Return the plan as JSON can hold it."""
    return [{**step._asdict(), "reasons": [reason._asdict() for reason in step.reasons]} for step in plan]


def read(found: Iterable[Mapping[str, Any]]) -> list[Step]:
    """Return the plan that `document` wrote."""
    return [
        Step(
            item["name"],
            item["verdict"],
            tuple(Reason(**reason) for reason in item["reasons"]),
            tuple(item["needs"]),
            item["resource"],
            item["seconds"],
            item["timeout"],
        )
        for item in found
    ]


def told(reason: Reason) -> str:
    """Return a reason as words on one line; a digest says nothing to a person and is left out."""
    if reason.what == "parameter" and not all(_is_digest(value) for value in (reason.old, reason.new)):
        return f"{reason.name} {_value(reason.old)} -> {_value(reason.new)}"
    if reason.what == "parameter":
        return f"code of {reason.name}" if reason.name.isidentifier() else f"{reason.name} changed"
    if reason.what == "command":
        return "another command" if reason.old else "never ran"
    if reason.what == "upstream":
        return f"after {reason.name}"
    return " ".join(str(word) for word in (reason.what, reason.name, reason.new) if word)


def table(plan: Sequence[Step]) -> str:
    """Return the affected stages as lines of aligned columns for a terminal, and a line of totals."""
    rows = [("stage", "verdict", "lately", "why"), *(_row(step) for step in plan if step.verdict != "unchanged")]
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[3]]).rstrip() for row in rows]
    return "\n".join([*(lines if len(rows) > 1 else []), totals(plan)])


def markdown(plan: Sequence[Step]) -> str:
    """Return the affected stages as a table of GitHub's Markdown, and a line of totals."""
    rows = [[cell(value) for value in _row(step)] for step in plan if step.verdict != "unchanged"]
    head = ["| Stage | Verdict | Lately | Why |", "| --- | --- | ---: | --- |"]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*(head if rows else []), *lines, *([""] if rows else []), totals(plan)])


def totals(plan: Sequence[Step]) -> str:
    """Return how many stages have which verdict, and the time that those which run took lately."""
    counted = [f"{count} {verdict}" for verdict in VERDICTS if (count := sum(step.verdict == verdict for step in plan))]
    seconds = sum(step.seconds or 0.0 for step in plan if step.verdict == "run")
    perhaps = sum(step.seconds or 0.0 for step in plan if step.verdict == "maybe")
    unseen = sum(step.seconds is None for step in plan if step.verdict in ("run", "maybe"))
    words = [", ".join(counted) or "no stages"]
    if affected(plan):
        words.append(f"expected {duration(seconds)} of work")
    if perhaps:
        words.append(f"up to {duration(seconds + perhaps)}")
    if unseen:
        words.append(f"{unseen} never timed")
    return "; ".join(words)


def duration(seconds: float) -> str:
    """Return a duration as a person reads it: `0.4 s`, `12 s`, `0:02:05`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return str(timedelta(seconds=round(seconds)))


def _row(step: Step) -> tuple[str, str, str, str]:
    lately = "" if step.seconds is None else duration(step.seconds)
    return step.name, step.verdict, lately, ", ".join(examples_of([told(reason) for reason in step.reasons]))


def examples_of(words: Sequence[str]) -> list[str]:
    """Return the first words, and how many more there are."""
    return [*words[:MOST], *([f"{len(words) - MOST} more"] if len(words) > MOST else [])]


def _is_digest(value: object) -> bool:
    return value is None or (isinstance(value, str) and DIGEST.fullmatch(value) is not None)


def _value(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def cell(text: str) -> str:
    """Return text as a cell that is neither markup nor a mention nor a link, whatever it holds."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~@$&])", r"\\\1", " ".join(text.split())).replace("://", ":\u200b//")
