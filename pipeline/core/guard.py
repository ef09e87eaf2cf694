"""What a stage owes to whoever starts it: it ends with its parent, ends in order when asked to, and writes alone.

DVC leaves its command running when it is killed itself, and then starts a second one on the same outputs. Here the
command asks the kernel for a signal when its parent dies, and holds a lock on each output as long as it lives.
"""

import ctypes
import fcntl
import hashlib
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import IO

import psutil

from pipeline.core.errors import Busy, EnvironmentFault, Stopped

# From the death of the parent to SIGKILL: a training needs some of it to finish its step and write a checkpoint.
SECONDS_TO_END = 8.0
SECONDS_BETWEEN_LOOKS = 0.5
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h
LOCKS = Path(".dvc/tmp/guard")


@contextmanager
def bound() -> Iterator[None]:
    """Run the body bound to the life of the parent, and ended by SIGTERM and SIGINT like by an error.

    Call it in the main thread, before what takes long. Everything is as before when the body is left.

    Raises:
        Stopped: The process was asked to stop.
    """
    with _bound_to_the_parent(), _stoppable():
        yield


@contextmanager
def alone(outs: Iterable[Path]) -> Iterator[None]:
    """Hold a lock on each of `outs` in the body, and in whatever is forked from it.

    The locks are files below `.dvc/tmp` of the repository that holds an output; the kernel takes a lock back when its
    process is gone, however that ended. Outside of a repository nothing is locked: nothing else is started there. Of
    the processes that torchrun starts for one training, the first has the locks for all.

    Raises:
        Busy: Another process has one of them; it is named.
    """
    mine = outs if int(os.environ.get("RANK", "0")) == 0 else ()
    with ExitStack() as held:
        for out in sorted({path.absolute() for path in mine}):
            root = next((folder for folder in out.parents if (folder / ".dvc").is_dir()), None)
            if root is not None:
                _lock(held.enter_context(_opened(root / LOCKS, out)), out.relative_to(root))
        yield


def _opened(folder: Path, out: Path) -> IO[str]:
    """Return the lock file of an output, whichever of its spellings `out` is."""
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / name).open("a+", encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(f"{out} could not be locked: {error}. Fix the permissions of {folder}.") from error


def _lock(stream: IO[str], out: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stream.seek(0)
        raise Busy(
            f"{out} is being written by another run: {stream.read().strip() or 'one that starts just now'}. "
            "Wait for it or stop it, then run again."
        ) from error
    stream.truncate(0)
    stream.write(f"process {os.getpid()}, since {datetime.now().astimezone().isoformat(' ', 'seconds')}")
    stream.flush()


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into an error, so that everything on the way out is put in order."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)  # a second one must not disturb what the first has begun
        raise Stopped(f"stopped by {signal.Signals(number).name}; `dvc repro` begins this stage again")

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _bound_to_the_parent() -> Iterator[None]:
    """Ask for SIGTERM when the parent dies, and for SIGKILL soon after where that did not end it."""
    left = threading.Event()
    threading.Thread(target=_watch, args=(_parents(), left), name="guard", daemon=True).start()
    try:
        _signal_at_parents_death(signal.SIGTERM)
        yield
    finally:
        left.set()
        _signal_at_parents_death(0)


def _parents() -> tuple[int, ...]:
    """Return the parent; where that is the shell through which DVC runs a command, further up to DVC itself.

    Some shells become their last command, others (Debian's `sh`) stay, and outlive DVC with all that they started. DVC
    marks what it runs by `DVC_STAGE`.
    """
    found = [os.getppid()]
    with suppress(psutil.Error):
        while "DVC_STAGE" in psutil.Process(found[-1]).environ():
            found.append(psutil.Process(found[-1]).ppid())
    return tuple(found)


def _watch(parents: tuple[int, ...], left: threading.Event) -> None:
    while not left.wait(SECONDS_BETWEEN_LOOKS):
        if _parents() != parents or _adopted(parents[-1]):
            os.kill(os.getpid(), signal.SIGTERM)  # the kernel's own signal tells of the next parent only, and on Linux
            if not left.wait(SECONDS_TO_END):
                os.kill(os.getpid(), signal.SIGKILL)
            return


def _adopted(parent: int) -> bool:
    """Return whether the real parent died before anybody looked: the one that adopted us is of another session."""
    try:
        return parent > 0 and os.getsid(0) not in (os.getpid(), os.getsid(parent))
    except ProcessLookupError:
        return True


def _signal_at_parents_death(number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, number)
