"""The soak test: two schedulers and a person on one workspace, while their processes are killed or paused at random.

`soak` runs it and records a history; `find_faults` checks the history and the workspace afterwards.
"""

import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from dvc.fs import localfs
from dvc.lock import LockError
from dvc.rwlock import RWLockFileCorruptedError, RWLockFileFormatError, rwlock

from tests.given.projects import ENVIRONMENT, Project, tree

# A stage writes its output in pieces, in place, and records when it begins and ends; so two at a time would show.
STAGE = """
import json, os, pathlib, sys, time
from pipeline.core.errors import PipelineError, Stopped
from pipeline.core.guard import end_with_parent, lock_outputs

def record(event):
    line = json.dumps({"event": event, "stage": name, "pid": os.getpid(), "at": time.monotonic()})
    handle = os.open("journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    written = os.write(handle, f"\\n{line}\\n".encode())
    os.close(handle)
    if written < len(line) + 2:
        raise OSError("the disk is full")

def entries():
    for line in pathlib.Path("journal").read_text().splitlines() if os.path.exists("journal") else ():
        try:
            yield json.loads(line)
        except ValueError:  # an empty line, or one that a full disk has cut
            continue

def others():
    begun = set()
    for entry in entries():
        if entry["stage"] == name and entry["event"] == "end":  # it writes no more, though it may still run
            begun.discard(entry["pid"])
        elif entry["stage"] == name and entry["pid"] != os.getpid():
            begun.add(entry["pid"])
    for pid in begun:
        path = pathlib.Path("/proc", str(pid))
        try:
            alive = name in (path / "cmdline").read_text() and "State:\\tZ" not in (path / "status").read_text()
        except OSError:
            continue
        if alive:
            yield pid

name, *inputs = sys.argv[1:]
try:
    with end_with_parent(), lock_outputs([pathlib.Path(name)]):
        record("overlap" if list(others()) else "begin")
        with open(name, "w") as out:
            for path in inputs:
                for letter in pathlib.Path(path).read_text():
                    out.write(letter)
                    out.flush()
                    time.sleep(0.02)
            out.write(f" {name}")
        record("end")
except (PipelineError, Stopped) as error:
    sys.exit(error.exit_code)
"""
NEEDS = {"a": ["in.txt"], "b": ["in.txt"], "c": ["in.txt"], "d": ["a", "b"], "e": ["c"], "f": ["d", "e"]}
TEXTS = ("one", "two", "three", "four", "five")
ENTRY = "  {0}: {{cmd: python stage.py {0} {1}, deps: [stage.py, {2}], outs: [{0}]}}\n"
FILES = {
    "stage.py": STAGE,
    "in.txt": TEXTS[0],
    "dvc.yaml": "stages:\n"
    + "".join(ENTRY.format(name, " ".join(needs), ", ".join(needs)) for name, needs in NEEDS.items()),
}
COMMANDS = {
    "scheduler 1": (sys.executable, "-m", "pipeline", "run", "--workers", "2"),
    "scheduler 2": (sys.executable, "-m", "pipeline", "run", "--workers", "2"),
    "person": (sys.executable, "-m", "dvc", "repro"),
}
SIGNALS = (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP)
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SECONDS_TO_END = 10.0


def soak(project: Project, environment: dict[str, str], *, seconds: float, seed: int) -> list[dict[str, Any]]:
    """Let them work and be killed for `seconds`, and until a stage has begun; return the events in order."""
    draw = random.Random(seed)  # noqa: S311 - the same seed draws the same faults
    history: list[dict[str, Any]] = []
    actors: dict[str, subprocess.Popen[str]] = {}
    stopped: dict[int, float] = {}
    end = time.monotonic() + seconds

    def note(event: str, **more: Any) -> None:
        history.append({"event": event, "at": time.monotonic(), **more})

    while time.monotonic() < end or not (project.root / "journal").exists():
        for name, words in COMMANDS.items():
            if name not in actors or actors[name].poll() is not None:
                if name in actors:
                    note("ended", actor=name, code=actors[name].returncode)
                actors[name] = project.start(*words, env=environment, **QUIET)
        if draw.random() < 0.1:
            _edit(project, draw.choice(TEXTS))
        _wake(stopped, time.monotonic())
        if draw.random() < 0.4:
            _strike(draw, [process for actor in actors.values() for process in tree(actor.pid)], stopped, note)
        time.sleep(draw.uniform(0.05, 0.5))
    _wake(stopped, float("inf"))
    for name, actor in actors.items():
        actor.kill()
        note("ended", actor=name, code=actor.wait())
    return history


def _edit(project: Project, text: str) -> None:
    """Write the input, unless a stage reads it or DVC is about to record it.

    DVC hashes an input after the command, so an edit in between is recorded with the output of the previous text, and
    that output is restored from the cache when the new text comes back. Only DVC could prevent that.
    """
    place, folder = str(project.root / "in.txt"), str(project.root / ".dvc/tmp")
    with (
        suppress(LockError, RWLockFileCorruptedError, RWLockFileFormatError),
        rwlock(folder, localfs, "an edit", [], [place], False),
    ):
        project.write("in.txt", text)


def _strike(draw: random.Random, victims: list[psutil.Process], stopped: dict[int, float], note: Any) -> None:
    if victims:
        victim, number = draw.choice(victims), draw.choice(SIGNALS)
        with suppress(psutil.NoSuchProcess):
            words = victim.cmdline()
            victim.send_signal(number)
            note("struck", signal=number.name, pid=victim.pid, command=words)
            if number == signal.SIGSTOP:
                stopped[victim.pid] = time.monotonic() + draw.uniform(0.2, 2.0)


def _wake(stopped: dict[int, float], now: float) -> None:
    for pid, until in list(stopped.items()):
        if until <= now:
            del stopped[pid]
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).send_signal(signal.SIGCONT)


def find_faults(project: Project, environment: dict[str, str], undisturbed: str) -> list[str]:
    """Return what is wrong after a soak; [] if nothing is. `undisturbed` is the dvc.lock of an undisturbed run.

    Every process must be gone within ten seconds, no stage may have run twice at a time, one clean run must succeed and
    give the same hashes, and DVC must agree that nothing is left to do.
    """
    faults = []
    end = time.monotonic() + SECONDS_TO_END
    while list_orphans(project.root) and time.monotonic() < end:
        time.sleep(0.1)
    faults += [f"still runs: {words}" for words in list_orphans(project.root)]
    faults += find_overlaps(project.root / "journal")
    project.write("in.txt", TEXTS[0])
    done = subprocess.run(
        COMMANDS["scheduler 1"], cwd=project.root, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        faults.append(f"the clean run failed with exit code {done.returncode}: {done.stdout}{done.stderr}")
    elif sort_stages(project.read("dvc.lock")) != sort_stages(undisturbed):
        faults.append(f"dvc.lock differs:\n{project.read('dvc.lock')}")
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status"], cwd=project.root, env=ENVIRONMENT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if "up to date" not in status.stdout:
        faults.append(f"dvc status: {status.stdout}{status.stderr}")
    return faults


def find_overlaps(journal: Path) -> list[str]:
    """Return what is wrong by the journal of the stages of a folder: those that ran twice at a time."""
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    return [f"two at a time: {line}" for line in lines if '"event": "overlap"' in line]


def sort_stages(lock: str) -> list[str]:
    """Return the stages of a dvc.lock as blocks of lines, sorted, so that their order does not matter."""
    blocks: list[str] = []
    for line in lock.splitlines():
        if line.startswith("  ") and not line.startswith("   "):
            blocks.append("")
        if blocks:
            blocks[-1] += line + "\n"
    return sorted(blocks)


def list_orphans(root: Path) -> list[str]:
    """Return the commands of the processes that still run in a folder."""
    return [
        " ".join(process.info["cmdline"] or [])
        for process in psutil.process_iter(["cwd", "cmdline", "status"])
        if process.info["cwd"] == str(root) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def make_undisturbed_lock(folder: Path) -> str:
    """Return the dvc.lock of an undisturbed `dvc repro`."""
    project = Project(folder, FILES)
    project.run("dvc", "repro")
    return project.read("dvc.lock")
