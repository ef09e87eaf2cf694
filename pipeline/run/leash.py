"""`python -m pipeline.run.leash COMMAND ...`: a command that ends, with all that it started, when its holder does.

The leash is standard input: as long as its other end is open, the command runs. Once it is closed, by a hand or by the
kernel when the holder has died in whatever way, the whole process group is asked to stop by SIGINT, which DVC and the
stages answer by putting things in order, and killed after some seconds. Start it with `start_new_session=True`.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
SECONDS_TO_END = 8.0
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


class Released(BaseException):
    """The other end of the leash was closed."""


def main(command: Sequence[str]) -> int:
    """Run the command and return its exit code, 128 + the signal where one ended it.

    When the leash is let go, nothing is returned: the whole process group, this process with it, is gone.
    """
    for number in SIGNALS:
        signal.signal(number, _release)
    # Held back until somebody would answer: there is no instant at which the command runs and a signal only ends this.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_bound) as child:  # noqa: PLW1509 - no thread yet
        threading.Thread(target=_wait_for_the_holder, daemon=True).start()
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


def _wait_for_the_holder() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _bound() -> None:
    """Prepare the child: signals work even where a shell has switched them off, and it dies with this process."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _stop(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGCONT, signal.SIGINT):
        os.killpg(os.getpgrp(), number)
    with suppress(subprocess.TimeoutExpired):
        child.wait(SECONDS_TO_END)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
