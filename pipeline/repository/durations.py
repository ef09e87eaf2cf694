"""The durations of stages: one line per run, beside DVC's own scratch files, on which no stage depends."""

import json
import math
import os
import platform
import re
import statistics
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

DURATIONS_FILE = Path(".dvc/tmp/durations.jsonl")
RECENT_RUNS = 5
# The end of a stage's name that tells repeats apart: a seed, a trial, or a part of a trial, of which the rung stays.
_REPEAT = re.compile(r"-(round\d+-)?(rung\d+-)?\d+$")


def record_duration(root: Path, stage: str, seconds: float, machine: str = "") -> None:
    """Append the duration of a run on `machine` (this one); the line is written in one piece, whoever else writes."""
    path = root / DURATIONS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    run = {"stage": stage, "seconds": round(seconds, 3), "machine": machine or platform.node()}
    line = json.dumps(run) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def record_own_duration(seconds: float) -> None:
    """Record the duration of this process as that of the stage whose command it is, as DVC says in the environment.

    Of the processes that torchrun starts for one training, the first records for all. What cannot be written is not
    recorded: no stage fails of it.
    """
    stage, root, rank = (os.environ.get(name, "") for name in ("DVC_STAGE", "DVC_ROOT", "RANK"))
    if stage and root and rank in ("", "0"):
        with suppress(OSError):
            record_duration(Path(root), stage, seconds)


def read_durations(root: Path) -> dict[str, float]:
    """Return the median seconds of the last five runs of each timed stage; damaged lines are skipped."""
    seconds: dict[str, list[float]] = defaultdict(list)
    path = root / DURATIONS_FILE
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            run = json.loads(line)
            stage, duration = str(run["stage"]), float(run["seconds"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
        if 0.0 <= duration < math.inf:
            seconds[stage].append(duration)
    return {stage: statistics.median(runs[-RECENT_RUNS:]) for stage, runs in seconds.items()}


def estimate_seconds(durations: Mapping[str, float], stage: str) -> float | None:
    """Return the duration of a stage, or the mean of stages that differ by their seed or trial alone, or None.

    Trials take differently long, and one that was dropped takes no time at all: the sum of all needs the mean.
    """
    if stage in durations or not _REPEAT.search(stage):
        return durations.get(stage)
    kind = _name_kind(stage)
    repeats = [seconds for name, seconds in durations.items() if _name_kind(name) == kind != name]
    return statistics.fmean(repeats) if repeats else None


def _name_kind(stage: str) -> str:
    """Return the name that stages share which differ by their seed or trial alone."""
    return _REPEAT.sub(lambda found: f"-{found[2]}" if found[2] else "", stage)
