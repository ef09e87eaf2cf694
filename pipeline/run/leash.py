"""The leash, `python -P pipeline/run/leash.py COMMAND ...`: a command that ends, with all it started, with its holder.

Standard input is the leash: the command runs as long as the other end is open. Once that is closed, by the holder or,
if the holder has died in whatever way, by the kernel, the whole process group is asked to stop by SIGINT, after which
DVC and the stages clean up; after some seconds it is killed. Start it with `start_new_session=True`.
"""

import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, SimpleNamespace

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
# A script has no package on its path, so it loads the module by its file.
PARENT = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "core" / "parent.py")))


class Released(BaseException):
    """The other end of the leash was closed."""


def run_on_leash(command: Sequence[str]) -> int:
    """Run the command and return its exit code, or 128 + the signal that ended it.

    If the leash is released, this does not return: the whole process group, including this process, is gone.
    """
    for number in SIGNALS:
        signal.signal(number, _release)
    # Blocked until there is a handler for the child: at no instant does the command run while a signal ends only this.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_prepare) as child:  # noqa: PLW1509 - no thread yet
        threading.Thread(target=_wait_for_holder, daemon=True).start()
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            code = child.wait()
        except Released:
            _stop(child)
            os.killpg(os.getpgrp(), signal.SIGKILL)
            raise
    return code if code >= 0 else 128 - code


def _release(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Released


def _wait_for_holder() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _prepare() -> None:
    """Prepare the child: signals work even if a shell has switched them off, and it dies with this process."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    PARENT.set_parent_death_signal(signal.SIGKILL)


def _stop(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGCONT, signal.SIGINT):
        os.killpg(os.getpgrp(), number)
    with suppress(subprocess.TimeoutExpired):
        child.wait(PARENT.SECONDS_TO_END)


if __name__ == "__main__":
    sys.exit(run_on_leash(sys.argv[1:]))
