"""The signal that the kernel sends to a process when its parent dies, and the time from it to the end.

This module imports nothing of the package: `run/leash.py` is started as a script and loads it by its path.
"""

import ctypes
import sys

# From the request to stop to SIGKILL: a training needs some of it to finish its step and write a checkpoint.
SECONDS_TO_END = 8.0
PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def set_parent_death_signal(number: int) -> None:
    """Have the kernel send signal `number` to this process when its parent dies; 0 takes that back.

    Does nothing on systems other than Linux. The request is not inherited by a fork, but survives `exec`.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
