"""One stage as a process of DVC's, in a group of its own that ends when it is stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread, Timer

from pipeline.run.ending import StageEnd, parse_line

STOPPED = "stopped"
LEASH = Path(__file__).with_name("leash.py")
# With -P, since the modules beside a script would otherwise shadow those of the standard library.
PYTHON = sys.executable
ON_LEASH = (PYTHON, "-P", str(LEASH))


class StageProcess:
    """A running stage. It ends, with everything it started, when it is stopped or when this process dies."""

    def __init__(
        self,
        words: Sequence[str],
        root: Path,
        environment: Mapping[str, str],
        *,
        timeout: float | None,
        kept_open: Sequence[int] = (),
    ) -> None:
        """Start the command `words` in `root`; `follow` then hands over its output.

        It is stopped after `timeout` seconds, if that is not None. The files `kept_open` stay open until all of it has
        ended, even if this process dies: so a lock on them outlives it.
        """
        self._why = ""
        self._timer = Timer(timeout or 0.0, self.stop, [f"took longer than its timeout of {timeout} s"])
        self._process = subprocess.Popen(
            [*ON_LEASH, *words], cwd=root, env={**_environment(), **environment}, start_new_session=True, bufsize=1,
            pass_fds=kept_open,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
        )  # fmt: skip

        if timeout:
            self._timer.daemon = True
            self._timer.start()

    def stop(self, why: str = STOPPED) -> None:
        """Make it end within ten seconds; a second call does nothing."""
        self._why = self._why or why
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def follow(self, print_line: Callable[[str], None]) -> StageEnd:
        """Hand over each line of its output, and return its end once nothing of it is left."""
        end = StageEnd("Ran")
        # What a stage leaves in the background holds the output open: it is killed while the output is read.
        killer = Thread(target=_kill_rest, args=[self._process.pid], name="group killer", daemon=True)
        with self._process as process:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            killer.start()
            try:
                for line in process.stdout:
                    text = line.rstrip()
                    end = parse_line(text, end)
                    if text:
                        print_line(text)
            except BaseException:  # whatever ends the reading ends the stage: nothing would watch it
                self.stop()
                raise
            finally:
                killer.join()
            code = process.wait()
        self._timer.cancel()
        if code == 0:
            return end
        if self._why:
            return end_of_stopped(self._why)
        return end if end.state == "Failed" else StageEnd("Failed", code, f"dvc failed with exit code {code}")


def capture_on_leash(words: Sequence[str]) -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end and return its exit code and output; it ends, with all it started, with this process."""
    read, write = os.pipe()
    with (
        os.fdopen(read, "rb") as end,
        os.fdopen(write, "wb") as leash,
        subprocess.Popen(
            [*ON_LEASH, *words], env=_environment(), start_new_session=True,
            stdin=end, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process,
    ):  # fmt: skip
        try:
            output, errors = process.communicate()
        finally:
            leash.close()  # whatever ends the reading ends the command
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


def end_of_stopped(why: str) -> StageEnd:
    """Return the end of a stage that was stopped: cancelled, or failed if it was for another reason."""
    return StageEnd("Cancelled", why=why) if why == STOPPED else StageEnd("Failed", 1, why)


def _kill_rest(group: int) -> None:
    """Wait until the leader of a process group has ended, and kill what is left of the group."""
    # Until the leader is reaped, no other group can have its number.
    os.waitid(os.P_PID, group, os.WEXITED | os.WNOWAIT)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """Return an environment in which `python` in a stage's command is the Python of this process."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
