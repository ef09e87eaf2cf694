"""Stages on Dask workers compared with as many slots here, and a graph of 500 stages on workers.

Wall time depends on the machine and its load; the processor time that a stage costs beyond a local run hardly does. All
processes are on one machine, so a second one would be faster, and its network slower.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.table import publish
from benchmarks.turns import Figures, run_alone
from pipeline.core.files import sha256
from pipeline.core.format import markdown_table
from tests.given.clusters import DaskCluster, commit, dask_cluster, set_remote
from tests.given.projects import ENVIRONMENT, Project, prefect_server, tree

SLOTS = (2, 4)
CELLS = 8
SECONDS = 5
MANY = 500
SLEEPS = f"sleep {SECONDS} && head -c 1000000 /dev/zero > cells/${{item.number}} && "
STAGE = "echo ${item.number} >> cells/${item.number}"
WORDS = ("-m", "pipeline", "run")


def write_graph(cells: int, command: str) -> str:
    """Return a dvc.yaml of `cells` stages that run `command` between one stage before and one after them."""
    return f"""
stages:
  prep: {{cmd: cp in.txt prep, deps: [in.txt], outs: [prep]}}
  cell:
    matrix: {{number: {[*range(cells)]}}}
    cmd: {command}
    deps: [prep]
    outs: ["cells/${{item.number}}"]
  join: {{cmd: cat cells/* > join, deps: [cells], outs: [join]}}
"""


def make_project(folder: Path, name: str, graph: str) -> Project:
    """Return a committed project with a remote of its own."""
    files = {
        "dvc.yaml": graph,
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
    project.run(sys.executable, *WORDS, *words, env=server)
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


def compare_places(slots: int) -> Figures:
    """Measure a local run and one on as many workers, of the same project."""
    with TemporaryDirectory() as scratch:
        folder, graph = Path(scratch), write_graph(CELLS, SLEEPS + STAGE)
        here, there = make_project(folder, "here", graph), make_project(folder, "there", graph)
        for name in ("prefect", "dask"):
            (folder / name).mkdir()
        with prefect_server(folder / "prefect") as server, dask_cluster(folder / "dask", slots, ENVIRONMENT) as cluster:
            here_s, here_cpu_s = measure_run(here, server, "--workers", str(slots))
            before = measure_cluster(cluster)
            there_s, driver_cpu_s = measure_run(there, server, "--on", cluster.address)
            workers_cpu_s = measure_cluster(cluster) - before
        return {
            "here_s": here_s,
            "there_s": there_s,
            "here_cpu_s": here_cpu_s,
            "there_cpu_s": driver_cpu_s + workers_cpu_s,
            "driver_cpu_s": driver_cpu_s,
            "overhead_cpu_s_per_stage": (driver_cpu_s + workers_cpu_s - here_cpu_s) / (CELLS + 2),
            "lock_equal": here.read("dvc.lock") == there.read("dvc.lock"),
            "bytes_equal": hash_outputs(here) == hash_outputs(there),
        }


def read_peak(pid: int) -> int:
    """Return the peak memory of a process in bytes; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def measure_many(cells: int, slots: int) -> Figures:
    """Plan a graph of many stages, run it on workers, and return the seconds and the peak memory of the driver."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        project = make_project(folder, "many", write_graph(cells, STAGE))
        for name in ("prefect", "dask"):
            (folder / name).mkdir()
        start = time.perf_counter()
        project.run(sys.executable, "-m", "pipeline", "plan", code=1)
        plan_s = time.perf_counter() - start
        with prefect_server(folder / "prefect") as server, dask_cluster(folder / "dask", slots, ENVIRONMENT) as cluster:
            start, peak = time.perf_counter(), 0
            driver = project.start(
                sys.executable, *WORDS, "--on", cluster.address, env=server, stdout=subprocess.DEVNULL
            )
            while driver.poll() is None:
                peak = max(peak, read_peak(driver.pid))
                time.sleep(0.2)
            seconds = time.perf_counter() - start
        if driver.returncode:
            raise subprocess.CalledProcessError(driver.returncode, driver.args)
        project.run(sys.executable, "-m", "pipeline", "plan")
    return {"stages": cells + 2, "plan_s": plan_s, "run_s": seconds, "driver_mb": peak / 1e6}


def format_places(slots: int, figures: Mapping[str, object]) -> list[Sequence[str]]:
    """Return the rows of a local run and of one on workers."""
    equal = "equal" if figures["lock_equal"] and figures["bytes_equal"] else "NOT equal"
    return [
        (f"{slots} slots here", f"{figures['here_s']:.1f} s", f"{figures['here_cpu_s']:.1f} s", ""),
        (f"{slots} Dask workers", f"{figures['there_s']:.1f} s", f"{figures['there_cpu_s']:.1f} s",
         f"dvc.lock and bytes {equal}; {figures['overhead_cpu_s_per_stage']:.1f} s of processor time more a stage"),
    ]  # fmt: skip


ABOUT = f"""# Stages on several machines

`make bench-places`: {CELLS} stages that sleep for {SECONDS} s and write 1 MB, one before and one after them, on one
machine: local slots, then as many Dask workers with clones of their own and a folder as DVC's remote. Processor time is
that of all processes but the servers of Prefect and Dask. Then {MANY} stages that write a few bytes each, on
{SLOTS[-1]} workers: the time to plan them, to run them, and the peak memory of the driver."""


def main() -> None:
    """Measure and publish; each part in a process of its own."""
    compared = {slots: run_alone("benchmarks.places", "slots", str(slots)) for slots in SLOTS}
    many = run_alone("benchmarks.places", "many", str(MANY))
    rows = [row for slots, own in compared.items() for row in format_places(slots, own)]
    few = markdown_table(("", "wall", "processor", ""), rows, right=(1, 2))
    row = (f"{many['stages']}", f"{many['plan_s']:.1f} s", f"{many['run_s']:.0f} s", f"{many['driver_mb']:.0f} MB")
    shown = few + "\n" + markdown_table(("stages", "plan", "run", "driver"), [row], right=range(4))
    figures = {f"{slots} slots": own for slots, own in compared.items()} | {"many": many}
    publish("places", ABOUT, shown, figures, ("dvc", "dask", "distributed", "prefect"))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        part, number = sys.argv[1], int(sys.argv[2])
        print(json.dumps(compare_places(number) if part == "slots" else measure_many(number, SLOTS[-1])))
    else:
        main()
