"""The folder of a job's parts, beside its answers: one run at a time has it."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pipeline.core.errors import Busy, EnvironmentFault, listed

_NAME = re.compile("[0-9a-f]{32}.*")  # a key, perhaps of a folder that is being written


def list_others(parts: Path) -> str:
    """Return what a folder of parts holds that is none, or "a file" if it is no folder; "" if it may be used."""
    if parts.is_file():
        return "a file"
    names = [path.name for path in parts.iterdir() if not _NAME.fullmatch(path.name)] if parts.is_dir() else []
    return listed(names) if names else ""


@contextmanager
def hold_parts(parts: Path) -> Iterator[None]:
    """Hold the folder of the parts in the body; it is made if it is missing, and removed if it is left empty.

    The lock is on the folder itself, so no file of it lies about; the kernel releases it however the process ends.

    Raises:
        Busy: Another run holds it.
        EnvironmentFault: It cannot be made or locked.
    """
    handle = _lock_folder(parts)
    try:
        yield
    finally:
        with suppress(OSError):  # parts are left
            if _is_at(parts, handle):  # the body may have removed it, and another run made it anew
                parts.rmdir()
        os.close(handle)


def _lock_folder(folder: Path) -> int:
    """Return a handle of a folder, locked."""
    with ExitStack() as opened:
        try:
            with suppress(FileExistsError):
                folder.mkdir(parents=True)
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            opened.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = _is_at(folder, handle)
        except (BlockingIOError, FileNotFoundError):  # the second: a run that has just ended has removed it
            held = False
        except OSError as error:
            raise EnvironmentFault(
                f"{folder}: cannot be made or locked, {error}. Write to a file system with locks."
            ) from error
        if not held and folder.is_symlink():
            raise EnvironmentFault(f"{folder}: a link to what is not there. Remove it, then run again.")
        if not held:
            raise Busy(f"{folder}: another run is writing these answers. Wait for it or stop it, then run again.")
        opened.pop_all()
    return handle


def _is_at(folder: Path, handle: int) -> bool:
    """Return whether a folder is the one that a handle is of."""
    return folder.is_dir() and os.path.samestat(os.fstat(handle), folder.stat())
