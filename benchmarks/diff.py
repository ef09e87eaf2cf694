"""Seconds and peak memory of `python -m pipeline diff`, and of `dvc metrics diff` on the same two revisions.

Usage: python -m benchmarks.diff [ROWS ...]. Each size is a made-up project of one task with six classes; its two
revisions differ in a hundredth of the answers. Each command runs in its own process.
"""

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from time import perf_counter

import psutil

from benchmarks.table import publish
from pipeline.core.format import markdown_table
from tests.given.revisions import ROOT, examples, flipped, model, new_project, settings, write_params, write_task

LABELS = ("abbreviation", "description", "entity", "human", "location", "number")
ARMS = {
    "pipeline diff": (sys.executable, "-m", "pipeline", "diff", "main", "head"),
    "dvc metrics diff": (sys.executable, "-m", "dvc", "metrics", "diff", "main", "head"),
}


def make(root: Path, rows: int) -> None:
    """Write a project with the branches `main` and `head`."""
    params = settings({"task": LABELS}).replace("resamples: 500", "resamples: 2000")
    project = new_project(root / "project", root / "remote", params)
    write_params(project.root, params)
    table = examples(rows, LABELS)
    base = model(table, LABELS)
    write_task(project.root, "task", table, base, LABELS)
    project.commit("Base", "task")
    project.branch("head")
    changed = flipped(base, table, LABELS, broken=rows // 180, fixed=rows // 220)
    write_task(project.root, "task", table, changed, LABELS)
    project.commit("Head", "task")


def measure_process(words: tuple[str, ...], folder: Path) -> tuple[float, float]:
    """Return the seconds and the peak resident MB of a process."""
    start, peak = perf_counter(), 0
    process = Popen(words, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=DEVNULL, stderr=DEVNULL)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess, TimeoutExpired):
            peak = max(peak, watched.memory_info().rss)
            process.wait(0.02)
    if process.wait() not in (0, 1):
        raise SystemExit(f"{words} ended with {process.returncode}")
    return perf_counter() - start, peak / 1e6


def main(sizes: list[int]) -> None:
    """Measure every size and publish the results."""
    figures: dict[str, float] = {}
    cells = []
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), rows)
            for name, words in ARMS.items():
                seconds, peak = measure_process(words, Path(folder) / "project")
                cells.append((f"{rows:,}", name, f"{seconds:.1f}", f"{peak:,.0f}"))
                figures |= {f"{name} {rows} seconds": round(seconds, 2), f"{name} {rows} MB": round(peak)}
    shown = markdown_table(("test rows", "command", "seconds", "peak MB"), cells, right=(0, 2, 3))
    publish("diff", ABOUT, shown, figures, ("dvc", "numpy", "pyarrow"))


ABOUT = """# The metric diff

`make bench-diff`: `python -m pipeline diff` and `dvc metrics diff` on the same two revisions of a made-up task with six
classes, which differ in a hundredth of the answers; whole processes, the start of Python included."""


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1_000, 100_000])
