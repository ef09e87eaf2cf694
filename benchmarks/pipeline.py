"""The whole job: `dvc repro` in a clean clone with an empty cache, stage by stage, and once more with nothing to do.

On a processor with AVX-512 once more as on one without it, and so without bf16, and on one processor alone.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.dvc_output import ENDS, RUNNING, Line, read_lines, time_stages
from benchmarks.table import publish
from pipeline.core.format import markdown_table

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
FIRST = "evaluate@"  # the stage with a task's results


class Job(NamedTuple):
    """A clean run: wall and processor seconds of each stage, whether dvc.lock is the committed one, and the no-op."""

    wall: dict[str, float]
    processor: dict[str, float]
    same: bool
    no_op: float


def add_up(times: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return the seconds of each stage in the order of their starts, `DVC` first with all of its own."""
    seconds: dict[str, float] = {}
    for stage, own in times:
        seconds[stage] = seconds.get(stage, 0.0) + own
    return seconds


def time_first(lines: Iterable[Line]) -> Line:
    """Return the line by which the first task has been evaluated, and its stage has ended."""
    begun = False
    for line in lines:
        if begun and (line.text.startswith(ENDS) or RUNNING.search(line.text)):
            return line
        begun = begun or f"Running stage '{FIRST}" in line.text
    raise ValueError("no task was evaluated")


class Pass(NamedTuple):
    """What is set for a clean run: variables of the environment, and the number of processors (None: all)."""

    environment: Mapping[str, str]
    processors: int | None = None


PLAIN = Pass({})
PASSES = {"as it is": PLAIN, "AVX2, one processor": Pass(AVX2, 1)}


@contextmanager
def hold_to(processors: int | None) -> Iterator[None]:
    """Run the body, and the processes that it starts, on so many of the processors of this one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:processors])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run_job(environment: Mapping[str, str]) -> tuple[Job, Line]:
    """Clone, run, run again; return the job, and the line at which its first task was evaluated."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
        run = {**os.environ, "PYTHONPATH": str(clone), **environment}
        lines = []
        for line in read_lines(["dvc", "repro"], clone, run):
            print(line.text, end="", flush=True)
            lines.append(line)
        wall, processor = (add_up(time_stages((line[at], line.text) for line in lines)) for at in (0, 1))
        same = subprocess.run(["git", "diff", "--quiet", "dvc.lock"], cwd=clone, check=False).returncode == 0
        (*_, last) = read_lines(["dvc", "repro"], clone, run)
    return Job(wall, processor, same, last.wall), time_first(lines)


def main() -> None:
    """Run the job, and write its table to docs/benchmarks."""
    passes = PASSES if torch.cpu.get_capabilities().get("avx512_f") else {"as it is": PLAIN}
    jobs = {}
    for name, own in passes.items():
        with hold_to(own.processors):
            jobs[name] = run_job(own.environment)
    heads = [head for name in jobs for head in (f"seconds, {name}", "processor")]
    stages = next(iter(jobs.values()))[0].wall
    columns = [seconds for job, _ in jobs.values() for seconds in (job.wall, job.processor)]
    rows = [(stage, *(f"{seconds.get(stage, 0.0):.1f}" for seconds in columns)) for stage in stages]
    rows.append(("all", *(f"{sum(seconds.values()):.1f}" for seconds in columns)))
    rows.append(("to the first result", *(f"{at:.1f}" for _, first in jobs.values() for at in first[:2])))
    rows.append(("no-op", *(cell for job, _ in jobs.values() for cell in (f"{job.no_op:.1f}", ""))))
    shown = markdown_table(("stage", *heads), rows, right=range(1, len(heads) + 1))
    job, _ = jobs["as it is"]
    whole = sum(job.wall.values())
    share = sum(seconds for name, seconds in job.wall.items() if name.startswith("finetune@")) / whole
    figures = {"no-op/clean": round(job.no_op / whole, 4), "finetune/clean": round(share, 3)}
    lock = f"The dvc.lock it left is {'' if job.same else 'not '}the committed one, byte for byte."
    publish("pipeline", ABOUT, f"{shown}\n{lock}\n", figures, ("torch", "transformers", "dvc", "great-expectations"))


ABOUT = """# The whole job

`make bench-pipeline`: `dvc repro` in a clean clone with an empty cache, including downloads; `dvc` is the time before,
between and after the stages, `processor` the seconds of all cores together. Outputs that Git holds already and bytes
that the cache got from another stage are not made again. *AVX2, one processor* is without AVX-512 and bf16, as `make
test-avx2` has it, and held to one processor. The no-op is the same command with nothing to do."""


if __name__ == "__main__":
    main()
