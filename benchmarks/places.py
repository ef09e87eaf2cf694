"""Stages on two Dask workers compared with as many slots here.

Wall time depends on the machine and its load; the processor time that a stage costs beyond a local run hardly does. All
processes are on one machine, so a second one would be faster, and its network slower.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.table import publish
from pipeline.core.files import sha256
from pipeline.core.format import markdown_table
from tests.given.clusters import DaskCluster, commit, dask_cluster, set_remote
from tests.given.projects import ENVIRONMENT, Project, prefect_server, tree

SLOTS = 2
CELLS = 8
SECONDS = 5
STAGES = CELLS + 2
GRAPH = f"""
stages:
  prep: {{cmd: cp in.txt prep, deps: [in.txt], outs: [prep]}}
  cell:
    matrix: {{number: {[*range(CELLS)]}}}
    cmd: >-
      sleep {SECONDS} && head -c 1000000 /dev/zero > cells/${{item.number}} &&
      echo ${{item.number}} >> cells/${{item.number}}
    deps: [prep]
    outs: ["cells/${{item.number}}"]
  join: {{cmd: cat cells/* > join, deps: [cells], outs: [join]}}
"""


def make_project(folder: Path, name: str) -> Project:
    """Return a committed project with a remote of its own."""
    files = {
        "dvc.yaml": GRAPH,
        "in.txt": "in",
        ".gitignore": "/prep\n/cells/*\n!/cells/.keep\n/join\n",
        "cells/.keep": "",
    }
    project = Project(folder / name, files, git=True)
    set_remote(project, url=str(folder / f"remote-{name}"))
    commit(project)
    return project


def measure_run(project: Project, server: dict[str, str], *words: str) -> tuple[float, float]:
    """Run everything; return the seconds, and those of processors in the command and all below it."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    project.run(sys.executable, "-m", "pipeline", "run", *words, env=server)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, used


def measure_cluster(cluster: DaskCluster) -> float:
    """Return the processor seconds so far of the workers and of all that has ended below them."""
    return sum(sum(process.cpu_times()[:4]) for process in tree(cluster.starter.pid))


def hash_outputs(project: Project) -> dict[str, str]:
    """Return the hash of each output by path."""
    files = (path for name in ("prep", "cells", "join") for path in sorted(project.root.glob(f"{name}*/**/*")))
    return {str(path.relative_to(project.root)): sha256(path) for path in files if path.is_file()}


def measure() -> dict[str, object]:
    """Measure a local run and one on workers, of the same project."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        here, there = make_project(folder, "here"), make_project(folder, "there")
        for name in ("prefect", "dask"):
            (folder / name).mkdir()
        with prefect_server(folder / "prefect") as server, dask_cluster(folder / "dask", SLOTS, ENVIRONMENT) as cluster:
            here_s, here_cpu_s = measure_run(here, server, "--workers", str(SLOTS))
            before = measure_cluster(cluster)
            there_s, driver_cpu_s = measure_run(there, server, "--on", cluster.address)
            workers_cpu_s = measure_cluster(cluster) - before
        return {
            "stages": STAGES,
            "slots": SLOTS,
            "here_s": here_s,
            "there_s": there_s,
            "ratio": there_s / here_s,
            "here_cpu_s": here_cpu_s,
            "there_cpu_s": driver_cpu_s + workers_cpu_s,
            "driver_cpu_s": driver_cpu_s,
            "overhead_cpu_s_per_stage": (driver_cpu_s + workers_cpu_s - here_cpu_s) / STAGES,
            "lock_equal": here.read("dvc.lock") == there.read("dvc.lock"),
            "bytes_equal": hash_outputs(here) == hash_outputs(there),
        }


def format_figures(figures: dict[str, object]) -> str:
    """Return the table of the figures."""
    equal = "equal" if figures["lock_equal"] and figures["bytes_equal"] else "NOT equal"
    rows = [
        (f"{SLOTS} slots here", f"{figures['here_s']:.1f} s", f"{figures['here_cpu_s']:.1f} s", ""),
        (f"{SLOTS} Dask workers", f"{figures['there_s']:.1f} s", f"{figures['there_cpu_s']:.1f} s",
         f"dvc.lock and bytes {equal}; {figures['overhead_cpu_s_per_stage']:.1f} s of processor time more a stage"),
    ]  # fmt: skip
    return markdown_table(("", "wall", "processor", ""), rows, right=(1, 2))


ABOUT = f"""# Stages on several machines

`make bench-places`: {CELLS} stages that sleep for {SECONDS} s and write 1 MB, one before and one after them, on one
machine: {SLOTS} local slots, then {SLOTS} Dask workers with clones of their own and a folder as DVC's remote. Processor
time is that of all processes but the servers of Prefect and Dask."""


def main() -> None:
    """Measure and publish."""
    figures = measure()
    publish("places", ABOUT, format_figures(figures), figures, ("dvc", "dask", "distributed", "prefect"))


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
