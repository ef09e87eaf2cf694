"""The end of a stage, read from DVC's output, and its presentation: values only."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pipeline.core.errors import Busy, EnvironmentFault
from pipeline.core.format import escape_markdown, markdown_table
from pipeline.repository.plan import PlannedStage, format_duration, join_reasons

EndState = Literal["Ran", "Restored", "Unchanged", "Blocked", "Failed", "Cancelled"]
# DVC's exit code is 255 after any failure; its output says more.
RESTORED = re.compile(r"^Stage '.*' is cached - skipping run, checking out outputs")
UNCHANGED = re.compile(r"^(Stage )?'.*' didn't change, skipping")
EXITED = re.compile(r"^ERROR: failed to reproduce .* exited with (-?\d+)")
BUSY = re.compile(r" is busy, it is being blocked by:|^ERROR: Unable to acquire lock")
RETRYABLE_CODES = frozenset({EnvironmentFault.exit_code, Busy.exit_code})


class StageEnd(NamedTuple):
    """The end of a stage; if its command failed, `code` is its exit code; `why` is a line for people."""

    state: EndState
    code: int = 0
    why: str = ""
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the stages that depend on it can run."""
        return self.state in ("Ran", "Restored", "Unchanged")

    @property
    def retryable(self) -> bool:
        """Whether a retry may help."""
        return self.state == "Failed" and self.code in RETRYABLE_CODES


def parse_line(line: str, before: StageEnd) -> StageEnd:
    """Return the end as known after one more line of DVC's output."""
    if RESTORED.search(line):
        return StageEnd("Restored")
    if UNCHANGED.search(line):
        return StageEnd("Unchanged")
    if exited := EXITED.search(line):
        code = int(exited[1])
        return StageEnd("Failed", code, f"its command failed with exit code {code}")
    if BUSY.search(line):
        return StageEnd("Failed", Busy.exit_code, "another run holds its files")
    if line.startswith("ERROR: ") and before.state != "Failed":
        return StageEnd("Failed", before.code or 1, line.removeprefix("ERROR: "))
    return before


def describe_end(name: str, end: StageEnd) -> str:
    """Return one line about the end of a stage."""
    duration = f"in {format_duration(end.seconds)}" if end.seconds else ""
    return " ".join(filter(None, (name, end.state.lower(), duration))) + (f": {end.why}" if end.why else "")


def ends_to_markdown(plan: Sequence[PlannedStage], ends: Mapping[str, StageEnd]) -> str:
    """Return the ends of all stages but those that were planned as unchanged and are, as a GitHub table with totals."""
    rows = [
        [escape_markdown(text) for text in _row(stage, ends[stage.name])]
        for stage in plan
        if (stage.verdict, ends[stage.name].state) != ("unchanged", "Unchanged")
    ]
    table = markdown_table(("Stage", "End", "Took", "Recent", "Why"), rows, right=(2, 3))
    return f"{table}\n{summarize_ends(ends)}" if rows else summarize_ends(ends)


def summarize_ends(ends: Mapping[str, StageEnd]) -> str:
    """Return the number of stages of each end."""
    states = [end.state for end in ends.values()]
    return ", ".join(f"{states.count(state)} {state.lower()}" for state in dict.fromkeys(states)) or "no stages"


def _row(stage: PlannedStage, end: StageEnd) -> tuple[str, str, str, str, str]:
    took, recent = (format_duration(seconds) if seconds else "" for seconds in (end.seconds, stage.seconds))
    return stage.name, end.state, took, recent, end.why or join_reasons(stage.reasons)
