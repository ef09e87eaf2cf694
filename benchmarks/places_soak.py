"""The soak test of several machines: processes are killed, the remote goes away, the disk of the workers is full.

Usage: python -m benchmarks.places_soak [SECONDS [SEED]]. A program judges the end: every process is gone, no two stages
were in one clone, no file on the remote or in a cache is half, no run broke, and one clean run gives the hashes of an
undisturbed one.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.soak import (
    FILES,
    NEEDS,
    SECONDS_TO_END,
    TEXTS,
    find_overlaps,
    list_orphans,
    make_undisturbed_lock,
    sort_stages,
)
from benchmarks.table import publish
from pipeline.core.command import run_program
from pipeline.core.document import Document
from pipeline.core.errors import Busy, EnvironmentFault
from pipeline.core.format import markdown_table
from tests.given.clusters import DaskCluster, commit, dask_cluster, set_remote
from tests.given.projects import ENVIRONMENT, Project, prefect_server, tree

IGNORED = "".join(f"/{name}\n" for name in (*NEEDS, "journal"))
WORKERS = 2
KILLED = ("driver", "nanny", "worker", "stage")
# Each kind of strike, what it is, and how often it is drawn.
STRIKES = {
    "driver": ("a driver killed", 2),
    "nanny": ("the nannies of all workers killed", 1),
    "worker": ("a worker killed", 4),
    "stage": ("a process of a stage killed", 4),
    "remote": ("the remote out of reach for a while", 1),
    "disk": ("the disk of the workers full for a while", 1),
    "second": ("a second driver in the workspace of the first", 2),
}
DISK_BYTES = 64 * 2**20
LONGEST, MEAN = 60.0, 12.0  # seconds for which the remote is away or the disk is full
# The exit codes of a run that was struck, and what they mean; any other one is a fault.
EXPECTED = {
    0: "whole, or nothing to do",
    1: "a stage failed",
    EnvironmentFault.exit_code: "no scheduler, worker or remote",
    Busy.exit_code: "another run in the workspace",
    -9: "killed",
}
BROKEN = "fault of the pipeline itself"  # what a run says of a stage or of itself


class Folders(NamedTuple):
    """The places of a soak: the link that the project has as its remote, what it leads to, and the workers' disk."""

    root: Path

    @property
    def remote(self) -> Path:
        """The link to the remote, or to a file: then nothing can be read there, written or made."""
        return self.root / "remote"

    @property
    def kept(self) -> Path:
        """The folder of the remote."""
        return self.root / "kept"

    @property
    def disk(self) -> Path:
        """The disk of the workers."""
        return self.root / "disk"

    def link_remote(self, *, there: bool) -> None:
        """Have the remote there or out of reach, at once."""
        link = self.root / "link"
        link.symlink_to(self.kept if there else self.root / "nowhere")
        link.replace(self.remote)

    def fill_disk(self) -> None:
        """Take all that is free on the workers' disk, which must be one of their own."""
        if not self.disk.is_mount():
            raise NotADirectoryError(f"{self.disk}: not a disk of its own")
        with suppress(OSError), (self.disk / "filler").open("ab", buffering=0) as stream:
            while stream.write(bytes(2**20)):
                pass

    def free_disk(self) -> None:
        """Give the disk back."""
        (self.disk / "filler").unlink(missing_ok=True)


@contextmanager
def make_folders(root: Path) -> Iterator[tuple[Folders, bool]]:
    """Yield the folders, and whether the workers have a small disk of their own: only root may mount one."""
    folders = Folders(root)
    for folder in (folders.kept, folders.disk, root / "runs", root / "prefect"):
        folder.mkdir()
    (root / "nowhere").touch()
    folders.link_remote(there=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folders.disk)]
    is_mounted = run_program(mount).returncode == 0
    try:
        yield folders, is_mounted
    finally:
        if is_mounted:
            run_program(["umount", "--lazy", str(folders.disk)])


def make_struck_project(folders: Folders) -> Project:
    """Return a committed project of short stages, with a folder as its remote."""
    project = Project(folders.root / "project", {**FILES, ".gitignore": IGNORED}, git=True)
    set_remote(project, url=str(folders.remote))
    commit(project)
    return project


class Runs:
    """The runs of a project: one at a time, and now and then a second one that comes too early."""

    def __init__(self, project: Project, folder: Path, server: dict[str, str]) -> None:
        """None has begun; their logs go into `folder`."""
        self._project, self._folder, self._server = project, folder, server
        self._drivers: list[tuple[subprocess.Popen[str], Path]] = []
        self.codes: Counter[int] = Counter()
        self.faults: list[str] = []

    @property
    def drivers(self) -> list[psutil.Process]:
        """The processes that drive a run."""
        self._reap()
        return [process for driver, _ in self._drivers for process in tree(driver.pid)[:1]]

    def begin(self, address: str) -> None:
        """Begin one more on the workers of a scheduler."""
        log = self._folder / f"{sum(self.codes.values()) + len(self._drivers)}.log"
        words = (sys.executable, "-m", "pipeline", "run", "--on", address)
        with log.open("w") as stream:
            driver = self._project.start(
                *words, env=self._server, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
            )
        self._drivers.append((driver, log))

    def kill(self) -> None:
        """Kill all that are left."""
        for driver, _ in self._drivers:
            driver.kill()
            driver.wait()
        self._reap()

    def _reap(self) -> None:
        for driver, log in list(self._drivers):
            if (code := driver.poll()) is not None:
                self._drivers.remove((driver, log))
                self.codes[code] += 1
                said = log.read_text(encoding="utf-8", errors="replace").strip()
                print(f"a run ended with {code}: {said.splitlines()[-1:]}", flush=True)
                if code not in EXPECTED or BROKEN in said:
                    self.faults.append(f"a run ended with exit code {code}:\n{said}")


def list_victims(cluster: DaskCluster, drivers: list[psutil.Process]) -> dict[str, list[psutil.Process]]:
    """Return the processes that may be killed, by kind; one nanny process is behind all workers."""
    return {
        "driver": drivers,
        "nanny": tree(cluster.starter.pid)[:1],
        "worker": cluster.workers if cluster.starter.is_running() else [],
        "stage": cluster.stages,
    }


def strike_at_random(
    project: Project, folders: Folders, runs: Runs, weights: Mapping[str, int], *, seconds: float, seed: int
) -> Counter[str]:
    """Drive runs for `seconds` while they are struck and the input is edited; return the strikes by kind."""
    draw = random.Random(seed)  # noqa: S311 - the same seed draws the same faults
    strikes: Counter[str] = Counter()
    end = time.monotonic() + seconds
    healings = _Healings()
    with suppress(psutil.NoSuchProcess):
        while time.monotonic() < end:
            healings.heal(float("inf"))  # no worker could start without them
            with dask_cluster(folders.root, WORKERS, ENVIRONMENT, scratch=folders.disk) as cluster:
                while time.monotonic() < end and cluster.starter.status() != psutil.STATUS_ZOMBIE:
                    if not runs.drivers:
                        strikes["runs"] += 1
                        _edit(project, draw)
                        runs.begin(cluster.address)
                    time.sleep(draw.uniform(0.5, 6.0))
                    healings.heal(time.monotonic())
                    kind, lasts = draw.choices([*weights], [*weights.values()])[0], draw.expovariate(1 / MEAN)
                    with suppress(psutil.NoSuchProcess):
                        if kind in KILLED and (victims := list_victims(cluster, runs.drivers)[kind]):
                            draw.choice(victims).kill()
                        elif kind == "second" and len(runs.drivers) == 1:
                            runs.begin(cluster.address)
                        elif kind == "remote":
                            folders.link_remote(there=False)
                            healings.add(min(lasts, LONGEST), lambda: folders.link_remote(there=True))
                        elif kind == "disk":
                            folders.fill_disk()
                            healings.add(min(lasts, LONGEST), folders.free_disk)
                        else:
                            continue
                        strikes[kind] += 1
    healings.heal(float("inf"))
    runs.kill()
    return strikes


class _Healings:
    """What takes a strike back, each at its time."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Callable[[], None]]] = []

    def add(self, seconds: float, heal: Callable[[], None]) -> None:
        self._waiting.append((time.monotonic() + seconds, heal))

    def heal(self, now: float) -> None:
        for until, heal in list(self._waiting):
            if until <= now:
                self._waiting.remove((until, heal))
                heal()


def _edit(project: Project, draw: random.Random) -> None:
    project.write("in.txt", draw.choice(TEXTS))
    run_program(["git", "commit", "--quiet", "--all", "--message", "x"], cwd=project.root)


def judge(project: Project, folders: Folders, server: dict[str, str], undisturbed: str) -> list[str]:
    """Return what is wrong; [] if nothing is. `undisturbed` is the dvc.lock of an undisturbed run."""
    shared = folders.disk / "dask-scratch-space/transferline"
    places = [project.root, *(path for path in shared.glob("clone-*") if path.is_dir())]
    end = time.monotonic() + 2 * SECONDS_TO_END
    while any(list_orphans(place) for place in places) and time.monotonic() < end:
        time.sleep(0.1)
    faults = [f"still runs: {words}" for place in places for words in list_orphans(place)]
    faults += [fault for place in places for fault in find_overlaps(place / "journal")]
    for store in (folders.kept, shared / "cache", project.root / ".dvc/cache"):
        faults += [f"half: {path}" for path in (store / "files/md5").glob("??/*") if _is_half(path)]
    project.write("in.txt", TEXTS[0])
    run_program(["git", "commit", "--quiet", "--all", "--message", "x"], cwd=project.root)
    words = [sys.executable, "-m", "pipeline", "run", "--on"]
    with dask_cluster(folders.root, WORKERS, ENVIRONMENT, scratch=folders.disk) as cluster:
        done = run_program([*words, cluster.address], cwd=project.root, env=server)
    if done.returncode:
        faults.append(f"the clean run failed with exit code {done.returncode}:\n{done.stderr.decode()}")
    elif sort_stages(project.read("dvc.lock")) != sort_stages(undisturbed):
        faults.append(f"dvc.lock differs:\n{project.read('dvc.lock')}")
    if "up to date" not in (status := project.run("dvc", "status")):
        faults.append(status)
    return faults


def _is_half(path: Path) -> bool:
    """Return whether a file of a store is not the one of its name; DVC writes under another one and renames."""
    hashed = run_program(["md5sum", str(path)]).stdout.decode().split()[0]
    return len(path.name) == 30 and hashed != path.parent.name + path.name


ABOUT = """# Several machines, struck

`make soak-places`: a project of six short stages runs again and again on two Dask workers, with a folder as its remote,
and is struck at random moments. The remote is away, and the disk of the workers (a file system of 64 MiB) is full, for
up to a minute, 12 s on average; other strikes go on meanwhile. A run that was struck may fail, with a code that says
why. At the end every process must be gone; no two stages may have been in one clone; no file on the remote or in a
cache may be half; no run may have ended with a fault of the pipeline; one clean run must succeed with the hashes of an
undisturbed one."""


def main(seconds: int = 600, seed: int = 1) -> int:
    """Soak, judge and publish; return 1 if anything is wrong."""
    with tempfile.TemporaryDirectory() as scratch, make_folders(Path(scratch)) as (folders, has_disk):
        weights = {kind: weight for kind, (_, weight) in STRIKES.items() if kind != "disk" or has_disk}
        undisturbed, project = make_undisturbed_lock(folders.root / "undisturbed"), make_struck_project(folders)
        with prefect_server(folders.root / "prefect") as server:
            runs = Runs(project, folders.root / "runs", server)
            strikes = strike_at_random(project, folders, runs, weights, seconds=seconds, seed=seed)
            faults = runs.faults + judge(project, folders, server, undisturbed)
    print(*faults, sep="\n")
    times = {kind: f"{strikes[kind]}" if kind in weights else "left out: mounting is not permitted" for kind in STRIKES}
    rows = [(said, times[kind]) for kind, (said, _) in STRIKES.items()]
    ends = [(EXPECTED.get(code, "unexpected"), f"{code}", f"{count}") for code, count in sorted(runs.codes.items())]
    shown = f"{seconds} s, seed {seed}: {len(faults)} faults.\n\n"
    shown += markdown_table(("strike", "times"), rows, right=(1,)) + "\n"
    shown += markdown_table(("end of a run", "exit code", "times"), ends, right=(1, 2))
    figures: Document = {"seconds": seconds, "seed": seed, **strikes, "codes": runs.codes, "faults": len(faults)}
    if not has_disk:
        figures["left out"] = "disk: mounting is not permitted"
    publish("places-soak", ABOUT, shown, figures, ("dvc", "dask", "distributed", "prefect"))
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
