"""How long stages took: one line a stage that ran, beside DVC's own scratch files, which no stage depends on."""

import json
import os
import statistics
from collections import defaultdict
from pathlib import Path

RECORD = Path(".dvc/tmp/durations.jsonl")
LATELY = 5


def add(root: Path, stage: str, seconds: float) -> None:
    """Record that a stage ran for so long; the line is written in one piece, whoever else writes."""
    path = root / RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"stage": stage, "seconds": round(seconds, 3)}) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def lately(root: Path) -> dict[str, float]:
    """Return the median seconds of the last five runs of each stage that was timed; a torn line is no line."""
    found: dict[str, list[float]] = defaultdict(list)
    path = root / RECORD
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            record = json.loads(line)
            found[str(record["stage"])].append(float(record["seconds"]))
        except (ValueError, KeyError, TypeError):
            continue
    return {stage: statistics.median(seconds[-LATELY:]) for stage, seconds in found.items()}
