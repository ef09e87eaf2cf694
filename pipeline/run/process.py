"""One stage by `dvc repro --single-item`, in a process group of its own that ends when it is let go."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Timer

from pipeline.run import leash
from pipeline.run.ending import Ended, heard

STOPPED = "stopped"
COMMAND = (
    sys.executable,
    "-P",
    leash.__file__,
    sys.executable,
    "-m",
    "dvc",
    "--wait-for-lock",
    "repro",
    "--single-item",
)


class Running:
    """A stage that runs. It ends, whatever it started, when it is let go or when this process dies."""

    def __init__(self, stage: str, root: Path, environment: Mapping[str, str], *, timeout: float | None) -> None:
        """Start it; its words come line by line through `follow`. `timeout` seconds later it is let go."""
        self._why = ""
        self._timer = Timer(timeout or 0.0, self.release, [f"took longer than its timeout of {timeout} s"])
        self._process = subprocess.Popen(
            [*COMMAND, stage], cwd=root, env={**_environment(), **environment}, start_new_session=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip

        if timeout:
            self._timer.daemon = True
            self._timer.start()

    def release(self, why: str = STOPPED) -> None:
        """Have it end within ten seconds; a second call does nothing."""
        self._why = self._why or why
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def follow(self, say: Callable[[str], None]) -> Ended:
        """Hand on each line it says, and return how it ended, once nothing of it is left."""
        found = Ended("Ran")
        with self._process as process:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            for line in process.stdout:
                text = line.rstrip()
                found = heard(text, found)
                if text:
                    say(text)
            # Until it is reaped, no other group can have its number.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        self._timer.cancel()
        if code == 0:
            return found
        if self._why:
            return Ended("Cancelled", why=self._why) if self._why == STOPPED else Ended("Failed", 1, self._why)
        return found if found.end == "Failed" else Ended("Failed", code, f"dvc ended with {code}")


def _environment() -> dict[str, str]:
    """Return the environment in which `python` in a stage's command is the Python of this process."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
