"""The durations of stages: one line per run, beside DVC's own scratch files, on which no stage depends."""

import json
import math
import os
import statistics
from collections import defaultdict
from pathlib import Path

DURATIONS_FILE = Path(".dvc/tmp/durations.jsonl")
RECENT_RUNS = 5


def record_duration(root: Path, stage: str, seconds: float) -> None:
    """Append the duration of a run; the line is written in one piece, whoever else writes."""
    path = root / DURATIONS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"stage": stage, "seconds": round(seconds, 3)}) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


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
