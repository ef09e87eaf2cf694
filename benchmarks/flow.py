"""The flow compared with bare DVC.

It gives ratios within one run, since machines differ: four sleeping stages on two workers and on four, a run with
nothing to do, and a plan.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.soak import sort_stages
from benchmarks.table import publish
from pipeline.core.format import markdown_table
from tests.given.projects import ENVIRONMENT, Project, prefect_server

DVC = (sys.executable, "-m", "dvc", "repro")
RUN = (sys.executable, "-m", "pipeline", "run", "--workers")
PLAN = (sys.executable, "-m", "pipeline", "plan")
SECONDS = 20
REPEATS = 5


def make_sleepers(count: int, seconds: float) -> str:
    """Return a dvc.yaml of stages that do not depend on each other."""
    entry = "  s{0}: {{cmd: sleep {1} && cp in.txt s{0}.txt, deps: [in.txt], outs: [s{0}.txt]}}\n"
    return "stages:\n" + "".join(entry.format(number, seconds) for number in range(count))


def make_chains(count: int) -> str:
    """Return a dvc.yaml of chains of four stages."""
    entry = "  s{0}: {{cmd: cat {1} > s{0}.txt, deps: [{1}], outs: [s{0}.txt]}}\n"
    sources = [f"in{n // 4}.txt" if n % 4 == 0 else f"s{n - 1}.txt" for n in range(count)]
    return "stages:\n" + "".join(entry.format(number, source) for number, source in enumerate(sources))


def measure_seconds(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_parallel(folder: Path, server: dict[str, str]) -> dict[str, object]:
    """Measure four stages: in sequence by DVC, and under the flow, two in parallel and all four."""
    files = {"dvc.yaml": make_sleepers(4, SECONDS), "in.txt": "in"}
    alone = Project(folder / "alone", files)
    bare = measure_seconds(lambda: alone.run(*DVC))
    figures: dict[str, object] = {"repro_s": bare}
    equal = True
    for workers in ("2", "4"):
        flow = Project(folder / f"flow{workers}", files)
        ours = measure_seconds(lambda f=flow, w=workers: f.run(*RUN, w, env=server))  # type: ignore[misc]
        figures |= {f"flow_{workers}_s": ours, f"times_as_fast_{workers}": bare / ours}
        equal = equal and sort_stages(alone.read("dvc.lock")) == sort_stages(flow.read("dvc.lock"))
    return {**figures, "lock_equal": equal}


def measure_idle(folder: Path, server: dict[str, str]) -> dict[str, object]:
    """Measure a run with nothing to do, and a run of one stage, with a running server and with one it starts itself."""
    project = Project(folder / "nothing", {"dvc.yaml": make_sleepers(26, 0), "in.txt": "in"})
    project.run(*DVC)
    kinds = {"repro_s": (DVC, ENVIRONMENT), "flow_s": ((*RUN, "2"), server)}
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(REPEATS):  # in turns, so that other load on the machine affects all alike
        for kind, (words, environment) in kinds.items():
            seconds[kind].append(measure_seconds(lambda w=words, e=environment: project.run(*w, env=e)))  # type: ignore[misc]
    medians = {kind: statistics.median(runs) for kind, runs in seconds.items()}
    own = {**ENVIRONMENT, "PREFECT_HOME": server["PREFECT_HOME"]}
    single = {}
    for kind, environment in (("one_stage_s", server), ("one_stage_own_server_s", own)):
        (project.root / "s0.txt").unlink()
        single[kind] = measure_seconds(lambda e=environment: project.run(*RUN, "2", env=e))  # type: ignore[misc]
    return {**medians, **single, "ratio": medians["flow_s"] / medians["repro_s"]}


def measure_plan(folder: Path) -> dict[str, object]:
    """Measure the plan of 200 stages of which three are changed, including the start of Python."""
    files = {"dvc.yaml": make_chains(200), **{f"in{number}.txt": str(number) for number in range(50)}}
    project = Project(folder / "wide", files)
    project.run(*DVC)
    for number in (3, 20, 40):
        project.write(f"in{number}.txt", "changed")
    seconds = [measure_seconds(lambda: project.run(*PLAN, code=1)) for _ in range(REPEATS)]
    return {"plan_s": statistics.median(seconds), "stages": 200, "changed": 3}


def format_figures(figures: dict[str, dict[str, object]]) -> str:
    """Return the table of the figures."""
    four, idle, plan = figures["parallel"], figures["nothing"], figures["planning"]
    lock = f"dvc.lock {'equal' if four['lock_equal'] else 'NOT equal'}"
    rows = [
        (f"four independent stages of {SECONDS} s, two workers", f"{four['repro_s']:.1f} s",
         f"{four['flow_2_s']:.1f} s", f"{four['times_as_fast_2']:.2f} times as fast, {lock}"),
        ("the same, four workers, since they only wait", "", f"{four['flow_4_s']:.1f} s",
         f"{four['times_as_fast_4']:.2f} times as fast, {lock}"),
        ("nothing to do (26 stages)", f"{idle['repro_s']:.2f} s", f"{idle['flow_s']:.2f} s",
         f"{idle['ratio']:.2f} times"),
        ("one stage restored, a server runs", "", f"{idle['one_stage_s']:.2f} s", ""),
        ("one stage restored, a server is started for it", "", f"{idle['one_stage_own_server_s']:.2f} s", ""),
        ("`pipeline plan`, 200 stages, three changed", "", f"{plan['plan_s']:.2f} s", ""),
    ]  # fmt: skip
    return markdown_table(("", "`dvc repro`", "`pipeline run`", ""), rows, right=(1, 2))


ABOUT = f"""# The flow against bare DVC

`make bench-flow`: ratios within one run, since machines differ; medians of {REPEATS} of what is short."""


def main() -> None:
    """Measure and publish."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "prefect").mkdir()
        with prefect_server(folder / "prefect") as server:
            figures = {"parallel": measure_parallel(folder, server), "nothing": measure_idle(folder, server)}
        figures["planning"] = measure_plan(folder)
    publish("flow", ABOUT, format_figures(figures), figures, ("dvc", "prefect"))


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
