"""Signals at random moments: each stage of a small project is struck again and again, and a program judges its end.

Usage: python -m benchmarks.signals [STRIKES [SEED]]. A strike starts the command of a stage as DVC would, after its
outputs were removed, and sends SIGTERM or SIGKILL at a moment drawn from its start (of Python, imports included) or, as
often, from its work, which begins when it has locked its outputs.
"""

import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo
from tqdm import trange

from benchmarks.table import describe_machine
from pipeline.core.errors import Stopped
from pipeline.core.files import remove, sha256
from pipeline.core.format import markdown_table
from pipeline.core.guard import LOCKS, SECONDS_TO_END
from pipeline.core.stage import STAGES
from tests.given.clones import Clone, prepare
from tests.given.warm import warm_python

SIGNALS = (signal.SIGTERM, signal.SIGKILL)
PATIENCE = SECONDS_TO_END + 7.0  # of a stage that was asked to stop, on a busy machine
ALLOWED = {
    signal.SIGTERM: {0, -signal.SIGTERM, Stopped.exit_code},  # ended before, struck before the guard, stopped in order
    signal.SIGKILL: {0, -signal.SIGKILL},
}
HEADER = ("Stage", "Strikes", "TERM: 143", "TERM: -15", "TERM: 0", "KILL: -9", "KILL: 0", "Longest end", "Faults")
Hashes = dict[str, str]  # of the files below the outputs of a stage, by path


class Target(NamedTuple):
    """A stage to strike: its command and its outputs; of an undisturbed run their hashes and a copy.

    `start` are the seconds until it had locked its outputs, `work` those from then to its end.
    """

    name: str
    words: tuple[str, ...]
    outs: tuple[Path, ...]
    whole: Hashes
    start: float
    work: float
    kept: Path


class Strike(NamedTuple):
    """A strike: the signal, when it came, the exit code, the seconds to the end, and what is wrong, if anything."""

    stage: str
    number: signal.Signals
    working: bool
    moment: float
    code: int
    seconds: float
    faults: tuple[str, ...]


def list_targets(clone: Clone, names: Sequence[str] = STAGES) -> list[Target]:
    """Return one instance of each stage (of those named), after an undisturbed run of it, in the order of dvc.yaml."""
    with Repo(str(clone.root)) as repo:
        stages = {stage.name.partition("@")[0]: stage for stage in repo.index.stages}
        instances = [
            (name, tuple(shlex.split(stage.cmd)), tuple(Path(out.fs_path) for out in stage.outs))
            for name, stage in stages.items()
            if name in names
        ]
    targets = []
    for name, words, outs in instances:
        clear(outs)
        begun = time.monotonic()
        with run(clone, words) as process:
            wait_for_work(clone, process)
            locked = time.monotonic()
            done, _ = process.communicate()
        ended = time.monotonic()
        if not all(out.exists() for out in outs):
            raise SystemExit(f"{name} fails undisturbed: {done}")
        kept = clone.root.parent / f"kept-{name}"
        targets.append(Target(name, words, outs, hash_files(outs), locked - begun, ended - locked, kept))
        for number, out in enumerate(outs):
            copy(out, targets[-1].kept / str(number))
    return targets


def run(clone: Clone, words: Sequence[str]) -> subprocess.Popen[str]:
    """Start a stage's command; its output and errors are one stream."""
    return subprocess.Popen(
        [sys.executable, *words[1:]], cwd=clone.root, env=clone.environment, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def wait_for_work(clone: Clone, process: subprocess.Popen[str]) -> None:
    """Wait until a stage has locked its outputs, or has ended."""
    while process.poll() is None:
        for lock in (clone.root / LOCKS).glob("*"):
            if lock.read_text(encoding="utf-8").startswith(f"process {process.pid},"):
                return
        time.sleep(0.01)


def clear(outs: Sequence[Path]) -> None:
    """Remove the outputs of a stage, as DVC does before a run; what stands beside them stays."""
    for out in outs:
        remove(out)


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def restore(target: Target) -> None:
    """Put the outputs back, since other stages read them."""
    clear(target.outs)
    for number, out in enumerate(target.outs):
        copy(target.kept / str(number), out)


def hash_files(outs: Sequence[Path]) -> Hashes:
    """Return the hash of each file below the outputs that exist."""
    files = [file for out in outs for file in ([out] if out.is_file() else sorted(out.rglob("*"))) if file.is_file()]
    return {str(file): sha256(file) for file in files}


def strike(clone: Clone, target: Target, number: signal.Signals, moment: float, *, working: bool) -> Strike:
    """Start a stage, strike it `moment` seconds into its start or (`working`) its work, and judge what it leaves."""
    clear(target.outs)
    with run(clone, target.words) as process:
        if working:
            wait_for_work(clone, process)
        try:
            output, _ = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        struck = time.monotonic()
        faults = []
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            faults.append(f"still runs after {PATIENCE} s")
            process.kill()
            output, _ = process.communicate()
    seconds, code = time.monotonic() - struck, process.returncode
    faults += list(judge(target, number, code, output, working=working))
    restore(target)
    return Strike(target.name, number, working, moment, code, seconds, tuple(faults))


def judge(target: Target, number: signal.Signals, code: int, output: str, *, working: bool = False) -> Iterator[str]:
    """Yield what is wrong with the end of a stage that was struck, `working` if it had locked its outputs."""
    if code not in ALLOWED[number]:
        yield f"exit code {code}: {output[-2000:]}"
    if working and code == -signal.SIGTERM and not all(out.exists() for out in target.outs):
        yield "was not stopped in order: its guard was missing"
    if "Traceback" in output or "Exception ignored" in output:
        yield f"a traceback: {output[-2000:]}"
    left = hash_files(target.outs)
    if code == 0 and left != target.whole:
        yield "ended well with other bytes"
    if not left.items() <= target.whole.items():
        yield f"left other bytes: {sorted(left)}"
    for out in target.outs:
        part = {path: value for path, value in target.whole.items() if Path(path) == out or out in Path(path).parents}
        if out.exists() and not part.items() <= left.items():
            yield f"left a part of {out}"
        if code == Stopped.exit_code and out.with_name(f"{out.name}.partial").exists():
            yield f"left {out}.partial"


def finish(clone: Clone, target: Target) -> Strike:
    """Run a stage undisturbed after all strikes: it must succeed and give the bytes of the first run."""
    clear(target.outs)
    with run(clone, target.words) as process:
        output, _ = process.communicate()
    faults = [f"the clean run failed: {output[-2000:]}"] if process.returncode else []
    faults += ["the clean run gave other bytes"] if hash_files(target.outs) != target.whole else []
    return Strike(target.name, signal.SIGTERM, False, 0.0, process.returncode, 0.0, tuple(faults))


def strike_at_random(clone: Clone, target: Target, draw: random.Random) -> Strike:
    """Strike a stage by a random signal, at a random moment of its start or of its work."""
    number, working = draw.choice(SIGNALS), draw.random() < 0.5
    moment = draw.uniform(0.0, 1.1) * (target.work if working else target.start)
    return strike(clone, target, number, moment, working=working)


def soak(clone: Clone, targets: Sequence[Target], strikes: int, seed: int) -> list[Strike]:
    """Strike the stages in turn, then run each once more; return the strikes, and those runs that went wrong."""
    draw = random.Random(seed)  # noqa: S311 - the same seed draws the same moments
    done = []
    for at in trange(strikes, unit="strike", disable=None):  # silent if nobody watches a terminal
        target = targets[at % len(targets)]
        done.append(strike_at_random(clone, target, draw))
        for fault in done[-1].faults:
            print(f"{target.name}, {done[-1].number.name} after {done[-1].moment:.2f} s: {fault}", flush=True)
    return [*done, *(end for target in targets if (end := finish(clone, target)).faults)]


def tabulate(strikes: Sequence[Strike]) -> str:
    """Return a row a stage: its strikes by signal and exit code, the longest way out, and the faults."""
    rows = []
    for stage in dict.fromkeys(each.stage for each in strikes):
        own = [each for each in strikes if each.stage == stage]
        ends = Counter((each.number, each.code) for each in own)
        ways = [ends[signal.SIGTERM, Stopped.exit_code], ends[signal.SIGTERM, -signal.SIGTERM]]
        ways += [ends[signal.SIGTERM, 0], ends[signal.SIGKILL, -signal.SIGKILL], ends[signal.SIGKILL, 0]]
        longest = max((each.seconds for each in own if each.number == signal.SIGTERM), default=0.0)
        rows.append(
            (stage, *map(str, (len(own), *ways)), f"{longest:.1f} s", str(sum(bool(each.faults) for each in own)))
        )
    return markdown_table(HEADER, rows, right=range(1, 9))


def main(strikes: int, seed: int) -> int:
    """Prepare a project, strike it, print the table, and return 1 if anything is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        with warm_python() as python:
            clone, _ = prepare(Path(folder), python)
        done = soak(clone, list_targets(clone), strikes, seed)
    print(describe_machine())
    print(f"{strikes} strikes, seed {seed}\n\n{tabulate(done)}")
    return int(any(each.faults for each in done))


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*numbers, *(520, 0)[len(numbers) :]))
