"""The clones of a machine in which its workers run stages, each held by one stage at a time."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO

SECONDS_FOR_CLONE = 15.0  # what a killed worker has started in a clone needs up to ten to end
SECONDS_BETWEEN_TRIES = 0.2


@contextmanager
def hold_clone(folder: Path, stage: str) -> Iterator[tuple[Path, int]]:
    """Hold a clone below `folder` in the body, and as long as the handle of its lock is open; yield both.

    It is the one that this stage had last, which may have a checkpoint of its training, or else the first free one;
    there may be nothing in it yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _lock_clone(folder, stage) as lock:
        lock.truncate(0)
        lock.write(stage)
        lock.flush()
        yield Path(lock.name).with_suffix(""), lock.fileno()


def _lock_clone(folder: Path, stage: str) -> IO[str]:
    end = time.monotonic() + SECONDS_FOR_CLONE
    while (same := _find_clone(folder, stage)) is not None and time.monotonic() < end:
        if (lock := _try_lock(same)) is not None:
            return lock
        time.sleep(SECONDS_BETWEEN_TRIES)
    free = (_try_lock(folder / f"clone-{number}.lock") for number in count())
    return next(lock for lock in free if lock is not None)


def _find_clone(folder: Path, stage: str) -> Path | None:
    """Return the lock file of the clone in which a stage ran last; None if there is none."""
    locks = sorted(folder.glob("clone-*.lock"))
    return next((lock for lock in locks if lock.read_text(encoding="utf-8") == stage), None)


def _try_lock(path: Path) -> IO[str] | None:
    """Return the locked file; None if somebody else holds it."""
    lock = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
