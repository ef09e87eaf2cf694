"""How a stage ended, from DVC's words, and how to show it: values only."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pipeline.core.errors import Busy, EnvironmentFault
from pipeline.repository.plan import Step, cell, duration

End = Literal["Ran", "Restored", "Unchanged", "Blocked", "Failed", "Cancelled"]
# DVC exits with 255 whatever happened; what it says tells more.
RESTORED = re.compile(r"^Stage '.*' is cached - skipping run, checking out outputs")
UNCHANGED = re.compile(r"^(Stage )?'.*' didn't change, skipping")
EXITED = re.compile(r"^ERROR: failed to reproduce .* exited with (-?\d+)")
BUSY = re.compile(r" is busy, it is being blocked by:|^ERROR: Unable to acquire lock")
AGAIN = frozenset({EnvironmentFault.exit_code, Busy.exit_code})


class Ended(NamedTuple):
    """How a stage ended; `code` is its command's exit code where that failed, `why` a line for people."""

    end: End
    code: int = 0
    why: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the stages after it can run."""
        return self.end in ("Ran", "Restored", "Unchanged")

    @property
    def again(self) -> bool:
        """Whether trying again may help."""
        return self.end == "Failed" and self.code in AGAIN


def heard(line: str, before: Ended) -> Ended:
    """Return what is known of the end after one more line of DVC's."""
    if RESTORED.search(line):
        return Ended("Restored")
    if UNCHANGED.search(line):
        return Ended("Unchanged")
    if found := EXITED.search(line):
        code = int(found[1])
        return Ended("Failed", code, f"its command ended with {code}")
    if BUSY.search(line):
        return Ended("Failed", Busy.exit_code, "another run has its files")
    if line.startswith("ERROR: ") and before.end != "Failed":
        return Ended("Failed", before.code or 1, line.removeprefix("ERROR: "))
    return before


def told(name: str, ended: Ended) -> str:
    """Return one line about the end of a stage."""
    took = f"in {duration(ended.seconds)}" if ended.seconds else ""
    return " ".join(filter(None, (name, ended.end.lower(), took))) + (f": {ended.why}" if ended.why else "")


def results(plan: Sequence[Step], ends: Mapping[str, Ended]) -> str:
    """Return the ends of all stages that were not unchanged as a table of GitHub's Markdown, and a line of totals."""
    rows = [
        (step.name, ends[step.name].end, _took(ends[step.name].seconds), _took(step.seconds), ends[step.name].why)
        for step in plan
        if ends[step.name].end != "Unchanged"
    ]
    head = ["| Stage | End | Took | Lately | |", "| --- | --- | ---: | ---: | --- |"]
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join([*(head if rows else []), *lines, *([""] if rows else []), totals(ends)])


def totals(ends: Mapping[str, Ended]) -> str:
    """Return how many stages ended how."""
    found = [ended.end for ended in ends.values()]
    return ", ".join(f"{found.count(end)} {end.lower()}" for end in dict.fromkeys(found)) or "no stages"


def _took(seconds: float | None) -> str:
    return duration(seconds) if seconds else ""
