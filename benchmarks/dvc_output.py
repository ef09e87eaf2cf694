"""The output of `dvc repro`, read as it comes: its lines, and the seconds of each stage."""

import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

RUNNING = re.compile(r"Running stage '(?P<stage>[^']+)'")
ENDS = ("Stage '", "Updating lock file")  # the lines by which DVC leaves a stage, or passes one over
DVC = "dvc"


def read_lines(command: list[str], folder: Path) -> Iterator[tuple[float, str]]:
    """Yield each line that the command prints, and the seconds since its start; at last an empty one.

    Raises:
        CalledProcessError: It failed.
    """
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            yield time.perf_counter() - start, line
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    yield time.perf_counter() - start, ""


def time_stages(lines: Iterable[tuple[float, str]]) -> Iterator[tuple[str, float]]:
    """Yield each stage that was run and its seconds, when it ends; the time between stages is that of `DVC`."""
    stage, start = DVC, 0.0
    for second, line in lines:
        running = RUNNING.search(line)
        if running or not line or line.startswith(ENDS):
            yield stage, second - start
            stage, start = running["stage"] if running else DVC, second
