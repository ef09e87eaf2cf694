"""A Dask cluster of real processes on loopback, and projects that run on it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from dvc.repo import Repo

from tests.given.projects import Project, free_port, tree, until

# A graph with all that must travel: a file that Git keeps, data that DVC keeps, small files, and a folder that several
# stages fill.
GRAPH = """
stages:
  code: {cmd: cp in.txt code.json, deps: [in.txt], outs: [code.json: {cache: false}], meta: {foreseeable: true}}
  prep: {cmd: cat code.json data/added.txt > data/prep, deps: [code.json, data/added.txt], outs: [data/prep]}
  cell:
    foreach: [a, b]
    do:
      cmd: >-
        mkdir -p data/cell; cat data/prep > data/cell/${item}; echo ${item} >> data/cell/${item};
        echo {} > data/${item}.json
      deps: [data/prep]
      outs: ["data/cell/${item}"]
      metrics: ["data/${item}.json": {cache: false}]
  join: {cmd: cat data/cell/* data/a.json > data/join, deps: [data/cell, data/a.json], outs: [data/join]}
"""
IGNORED = "/data/added.txt\n/data/prep\n/data/cell/*\n/data/join\n/out-*\n"


class DaskCluster(NamedTuple):
    """A scheduler's address, the folder of its workers' clones, and the nannies of the workers."""

    address: str
    clones: Path
    starter: psutil.Process

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes of the workers: the children of the one that `dask worker` has started."""
        return [child for child in self.starter.children() if "spawn_main" in " ".join(child.cmdline())]

    @property
    def stages(self) -> list[psutil.Process]:
        """The processes that run in the clones."""
        found = []
        for process in psutil.process_iter(["cwd", "status"]):
            inside = str(process.info["cwd"] or "").startswith(str(self.clones))
            if inside and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found


@contextmanager
def dask_cluster(
    folder: Path, workers: int, environment: dict[str, str], *, scratch: Path | None = None
) -> Iterator[DaskCluster]:
    """Run a scheduler and workers of one thread each, as their users start them; `scratch` is the workers' disk."""
    scratch = scratch or folder
    environment = {**environment, "DASK_TEMPORARY_DIRECTORY": str(scratch)}
    address = f"tcp://127.0.0.1:{free_port()}"
    words = {
        "scheduler": ["--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"],
        "worker": [address, "--nworkers", str(workers), "--nthreads", "1", "--resources", "GPU=1"],
    }
    with (folder / "dask.log").open("w") as log:
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "dask", part, *more], env=environment, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, cwd=folder,
            )
            for part, more in words.items()
        ]  # fmt: skip
    cluster = DaskCluster(address, scratch / "dask-scratch-space/transferline", psutil.Process(started[1].pid))
    try:
        until(lambda: (folder / "dask.log").read_text().count("Registered to:") >= workers)
        yield cluster
    finally:
        for process in [member for parent in started for member in tree(parent.pid)]:
            process.kill()
        for parent in started:
            parent.wait()


def make_project(root: Path, remote: str, dvc: str = GRAPH, **settings: str) -> Project:
    """Return a committed project with a remote of these settings."""
    files = {"dvc.yaml": dvc, "in.txt": "one\n", ".gitignore": IGNORED, "data/added.txt": "added\n"}
    project = Project(root, files, git=True)
    set_remote(project, url=remote, **settings)
    with chdir(root), Repo() as repo:
        repo.add("data/added.txt")
    commit(project)
    return project


def set_remote(project: Project, **settings: str) -> None:
    """Make a remote of these settings the default, or have none."""
    lines = [f"    {name} = {value}\n" for name, value in settings.items()]
    text = "[core]\n    remote = kept\n['remote \"kept\"']\n" + "".join(lines) if settings else ""
    project.write(".dvc/config", text)


def commit(project: Project) -> None:
    """Commit all that Git keeps."""
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "x")
