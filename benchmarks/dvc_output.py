"""The output of `dvc repro`, read as it comes: its lines, and the seconds of each stage."""

import re
import resource
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

RUNNING = re.compile(r"Running stage '(?P<stage>[^']+)'")
ENDS = ("Stage '", "Updating lock file")  # the lines by which DVC leaves a stage, or passes one over
DVC = "dvc"


class Line(NamedTuple):
    """A line, with the seconds since the start of its command: of the clock, and of the processors."""

    wall: float
    processor: float
    text: str


def read_lines(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Line]:
    """Yield each line that the command prints; at last an empty one.

    Processor seconds are those of the command and of all its children that have ended.

    Raises:
        CalledProcessError: It failed.
    """
    start, before = time.perf_counter(), _count_children()
    words = {"cwd": folder, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, **words) as process:
        own = psutil.Process(process.pid)
        for text in process.stdout or ():
            yield Line(time.perf_counter() - start, sum(own.cpu_times()[:4]), text)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    yield Line(time.perf_counter() - start, _count_children() - before, "")


def _count_children() -> float:
    """Return the processor seconds of this process's children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def time_stages(lines: Iterable[tuple[float, str]]) -> Iterator[tuple[str, float]]:
    """Yield each stage that was run and its seconds, when it ends; the time between stages is that of `DVC`."""
    stage, start = DVC, 0.0
    for second, line in lines:
        running = RUNNING.search(line)
        if running or not line or line.startswith(ENDS):
            yield stage, second - start
            stage, start = running["stage"] if running else DVC, second
