"""The soak test of several machines: workers, nannies, stages and the driver of a run are killed at random moments.

Usage: python -m benchmarks.places_soak [SECONDS [SEED]]. A program judges the end: every process is gone, no two stages
were in one clone, no file on the remote is half, and one clean run gives the hashes of an undisturbed one.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.soak import FILES, NEEDS, QUIET, SECONDS_TO_END, TEXTS, list_orphans, make_undisturbed_lock, sort_stages
from pipeline.core.command import run_program
from tests.given.clusters import DaskCluster, commit, dask_cluster, set_remote
from tests.given.projects import ENVIRONMENT, Project, prefect_server, tree

IGNORED = "".join(f"/{name}\n" for name in (*NEEDS, "journal"))
WORKERS = 2
KINDS = ("driver", "nanny", "worker", "stage")


def make_struck_project(folder: Path) -> Project:
    """Return a committed project of short stages, with a folder as its remote."""
    project = Project(folder / "project", {**FILES, ".gitignore": IGNORED}, git=True)
    set_remote(project, url=str(folder / "remote"))
    commit(project)
    return project


def list_victims(cluster: DaskCluster, driver: subprocess.Popen[str]) -> dict[str, list[psutil.Process]]:
    """Return the processes that may be killed, by kind; one nanny process is behind all workers."""
    return {
        "driver": tree(driver.pid)[:1],
        "nanny": tree(cluster.starter.pid)[:1],
        "worker": cluster.workers if cluster.starter.is_running() else [],
        "stage": cluster.stages,
    }


def strike_at_random(
    project: Project, folder: Path, server: dict[str, str], *, seconds: float, seed: int
) -> Counter[str]:
    """Drive runs for `seconds` while processes are killed and the input is edited; return the strikes by kind."""
    draw = random.Random(seed)  # noqa: S311 - the same seed draws the same faults
    strikes: Counter[str] = Counter()
    end = time.monotonic() + seconds
    driver: subprocess.Popen[str] | None = None
    with suppress(psutil.NoSuchProcess):
        while time.monotonic() < end:
            with dask_cluster(folder, WORKERS, ENVIRONMENT) as cluster:
                while time.monotonic() < end and cluster.starter.status() != psutil.STATUS_ZOMBIE:
                    if driver is None or driver.poll() is not None:
                        strikes["runs"] += 1
                        _edit(project, draw)
                        words = (sys.executable, "-m", "pipeline", "run", "--on", cluster.address)
                        driver = project.start(*words, env=server, **QUIET)
                    time.sleep(draw.uniform(0.5, 6.0))
                    kind = draw.choices(KINDS, weights=(2, 1, 4, 4))[0]
                    with suppress(psutil.NoSuchProcess):
                        if victims := list_victims(cluster, driver)[kind]:
                            draw.choice(victims).kill()
                            strikes[kind] += 1
    if driver is not None:
        driver.kill()
        driver.wait()
    return strikes


def _edit(project: Project, draw: random.Random) -> None:
    project.write("in.txt", draw.choice(TEXTS))
    run_program(["git", "commit", "--quiet", "--all", "--message", "x"], cwd=project.root)


def judge(project: Project, folder: Path, server: dict[str, str], undisturbed: str) -> list[str]:
    """Return what is wrong; [] if nothing is. `undisturbed` is the dvc.lock of an undisturbed run."""
    clones = folder / "dask-scratch-space/transferline"
    places = [project.root, *(path for path in clones.glob("clone-*") if path.is_dir())]
    end = time.monotonic() + 2 * SECONDS_TO_END
    while any(list_orphans(place) for place in places) and time.monotonic() < end:
        time.sleep(0.1)
    faults = [f"still runs: {words}" for place in places for words in list_orphans(place)]
    for journal in (place / "journal" for place in places if (place / "journal").exists()):
        events = [json.loads(line)["event"] for line in journal.read_text().splitlines()]
        faults += ["two at a time"] * events.count("overlap")
    faults += [f"half on the remote: {path}" for path in (folder / "remote/files/md5").glob("??/*") if _is_half(path)]
    project.write("in.txt", TEXTS[0])
    run_program(["git", "commit", "--quiet", "--all", "--message", "x"], cwd=project.root)
    with dask_cluster(folder, WORKERS, ENVIRONMENT) as cluster:
        project.run(sys.executable, "-m", "pipeline", "run", "--on", cluster.address, env=server)
    if sort_stages(project.read("dvc.lock")) != sort_stages(undisturbed):
        faults.append(f"dvc.lock differs:\n{project.read('dvc.lock')}")
    if "up to date" not in (status := project.run("dvc", "status")):
        faults.append(status)
    return faults


def _is_half(path: Path) -> bool:
    """Return whether a file of the remote is not the one of its name; DVC writes under another one and renames."""
    hashed = run_program(["md5sum", str(path)]).stdout.decode().split()[0]
    return len(path.name) == 30 and hashed != path.parent.name + path.name


def main(seconds: float = 600.0, seed: int = 1) -> int:
    """Soak and judge; return 1 if anything is wrong."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "prefect").mkdir()
        undisturbed, project = make_undisturbed_lock(folder / "undisturbed"), make_struck_project(folder)
        with prefect_server(folder / "prefect") as server:
            strikes = strike_at_random(project, folder, server, seconds=seconds, seed=seed)
            faults = judge(project, folder, server, undisturbed)
    print(*faults, json.dumps({"seconds": seconds, "seed": seed, **strikes, "faults": len(faults)}), sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3])))
