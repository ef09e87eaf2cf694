"""The guards of a stage: it ends with its parent, ends in order if asked to stop, and has its outputs to itself.

If DVC is killed, its command keeps running, and the next `dvc repro` starts a second one on the same outputs. So the
command asks the kernel for a signal when its parent dies, and holds a lock on each output as long as it lives.
"""

import fcntl
import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

from pipeline.core.errors import Busy, EnvironmentFault, Stopped
from pipeline.core.files import find_repository
from pipeline.core.parent import SECONDS_TO_END, set_parent_death_signal

SECONDS_BETWEEN_CHECKS = 0.5
LOCKS = Path(".dvc/tmp/guard")
AGAIN = "Run `dvc repro` to start this stage again."


@contextmanager
def end_with_parent(prepare: Callable[[], Any] = lambda: None) -> Iterator[Any]:
    """Run the body bound to the life of the parent, with what `prepare` returns; SIGTERM and SIGINT end it in order.

    They do so whatever the body catches, and a body that has not ended some seconds after it was asked to is killed.
    `prepare` must touch nothing: a signal simply ends the process there. It is the place of imports, since torch may
    abort if a signal raises an error while it is being initialised. Call it in the main thread, before anything slow.
    On leaving the body everything is as before.

    Raises:
        Stopped: The process was asked to stop.
    """
    request = _Request()
    with _bound_to_parent(request):
        prepared = prepare()
        with _stoppable(request):
            yield prepared


@contextmanager
def lock_outputs(outs: Iterable[Path]) -> Iterator[None]:
    """Hold a lock on each of `outs` in the body, and in all processes forked from it.

    The locks are files below `.dvc/tmp` of the repository that holds the output; the kernel releases a lock when its
    process ends, in whatever way. Outside a repository nothing is locked, since nothing starts a second process there.
    Of the processes that torchrun starts for one training, the first holds the locks for all.

    Raises:
        Busy: Another process holds one of the locks; the message names it.
        EnvironmentFault: A lock file could not be created or locked.
    """
    rank = os.environ.get("RANK", "")
    mine = () if rank.isdecimal() and int(rank) else outs  # what is no number does not come from torchrun
    with ExitStack() as locks:
        for out in sorted({path.absolute() for path in mine}):
            root = find_repository(out)
            if root is not None:
                _lock(locks.enter_context(_open_lock(root / LOCKS, out)), out.relative_to(root))
        yield


def _open_lock(folder: Path, out: Path) -> IO[str]:
    """Return the lock file of an output, the same for all spellings of its path."""
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / name).open("a+", encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(f"{out}: could not be locked, {error}. Fix the permissions of {folder}.") from error


def _lock(stream: IO[str], out: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stream.seek(0)
        holder = stream.read().strip() or "one that is just starting"
        raise Busy(f"{out}: another run is writing it, {holder}. Wait for it or stop it, then run again.") from error
    except OSError as error:  # some network file systems have no locks
        raise EnvironmentFault(
            f"{out}: could not be locked, {error}. Move the project to a file system with locks."
        ) from error
    stream.truncate(0)
    stream.write(f"process {os.getpid()}, since {datetime.now().astimezone().isoformat(' ', 'seconds')}")
    stream.flush()


class _Request:
    """Whether this process was asked to stop, by a signal that its guard received or by the death of its parent."""

    made = False


@contextmanager
def _stoppable(request: _Request) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `Stopped`, which the body cannot escape.

    A signal raises it again unless it is on its way out: code that catches it only delays it until the next one. So
    does an import, which is finished first. A body that ends otherwise after all, or with another error that came of
    it, is stopped all the same.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        request.made = True
        if not _is_leaving(sys.exception()) and not _is_importing(frame):
            raise Stopped(f"stopped by {signal.Signals(number).name}. {AGAIN}")

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    hook = sys.unraisablehook
    sys.unraisablehook = lambda args: None if isinstance(args.exc_value, Stopped) else hook(args)
    try:
        for number in before:
            signal.signal(number, stop)
        yield
    except Stopped:
        raise
    except BaseException as error:  # a library may have made any error of `Stopped`
        if request.made:
            raise Stopped(f"stopped. {AGAIN}") from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook
    if request.made:
        raise Stopped(f"stopped. {AGAIN}")


def _is_leaving(error: BaseException | None) -> bool:
    """Return whether an error that is being handled is `Stopped`, or came of it."""
    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, Stopped):
            return True
        seen.add(id(error))
        error = error.__context__
    return False


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether an import is in progress."""
    while frame is not None and frame.f_code.co_filename != "<frozen importlib._bootstrap>":
        frame = frame.f_back
    return frame is not None


@contextmanager
def _bound_to_parent(request: _Request) -> Iterator[None]:
    """Ask for SIGTERM when the parent dies; repeat a request to stop, and kill the process if none is answered."""
    left = threading.Event()
    threading.Thread(target=_watch, args=(_parents(), request, left), name="guard", daemon=True).start()
    try:
        set_parent_death_signal(signal.SIGTERM)
        yield
    finally:
        left.set()
        set_parent_death_signal(0)


def _parents() -> tuple[int, ...]:
    """Return the parent; if that is the shell through which DVC runs a command, also its ancestors up to DVC itself.

    Some shells replace themselves by their last command, others (Debian's `sh`) stay, and outlive DVC with all that
    they started. DVC marks what it runs by `DVC_STAGE`.
    """
    ancestors = [os.getppid()]
    with suppress(psutil.Error):
        while "DVC_STAGE" in psutil.Process(ancestors[-1]).environ():
            ancestors.append(psutil.Process(ancestors[-1]).ppid())
    return tuple(ancestors)


def _watch(parents: tuple[int, ...], request: _Request, left: threading.Event) -> None:
    """Repeat SIGTERM from the moment when the process is to stop, and kill it if that does not end it in time."""
    while not request.made and _parents() == parents and not _is_adopted(parents[-1]):
        if left.wait(SECONDS_BETWEEN_CHECKS):
            return
    end = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < end:
        os.kill(os.getpid(), signal.SIGTERM)  # the kernel's signal covers the direct parent only, and Linux only
        if left.wait(SECONDS_BETWEEN_CHECKS):
            return
    os.kill(os.getpid(), signal.SIGKILL)


def _is_adopted(parent: int) -> bool:
    """Return whether the real parent died before the first check: the adopting one belongs to another session."""
    try:
        return parent > 0 and os.getsid(0) not in (os.getpid(), os.getsid(parent))
    except ProcessLookupError:
        return True
