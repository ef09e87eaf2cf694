"""The command line `python -m pipeline`: one stage, or one of the commands that people type."""

import errno
import importlib
import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from pipeline.core.errors import FAULT_CODE, EnvironmentFault, PipelineError, Stopped
from pipeline.core.format import inert

INTERRUPTED, CLOSED = 130, 141  # 128 + SIGINT, and + SIGPIPE, as a shell reports them
UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT)  # errors of a stream that nobody reads, or of a full disk


def main(arguments: Sequence[str]) -> int:
    """Return the exit code of `python -m pipeline *arguments`; a failure is one message on standard error."""
    word = arguments[0] if arguments else "--help"
    try:
        code = _answer(word, arguments[1:])
        print(end="", flush=True)
    except BrokenPipeError:
        _drop(sys.stdout)
        return CLOSED
    except OSError as error:
        _drop(sys.stdout)
        try:
            print(f"{word}: output could not be written, {error}. Free space, then run again.", file=sys.stderr)
        except OSError:  # the disk of standard error is full as well
            _drop(sys.stderr)
        return EnvironmentFault.exit_code
    return code


def _drop(stream: TextIO) -> None:
    """Send what is still written to a stream, as Python does at its end, to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _answer(word: str, rest: Sequence[str]) -> int:
    """Run one stage or command and return its exit code.

    Raises:
        OSError: Nobody reads the output any more, or the disk is full.
    """
    try:
        return _run(word, rest)
    except (PipelineError, Stopped) as error:
        print(inert(f"{word}: {error}"), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except ModuleNotFoundError as error:
        package = (error.name or __package__).partition(".")[0]
        if package == __package__:
            return _report_fault(word)
        fix = "Run `make setup`, then `source .venv/bin/activate`."
        print(inert(f"{word}: a package is missing, {package}. {fix}"), file=sys.stderr)
        return EnvironmentFault.exit_code
    except Exception as error:  # a fault of this code, which must not exit with 1: that says "a gate failed"
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise
        return _report_fault(word)


def _report_fault(word: str) -> int:
    """Print the exception that is handled now, and return its exit code."""
    traceback.print_exc()
    print(f"{word}: a fault of the pipeline itself. Report it with the lines above.", file=sys.stderr)
    return FAULT_CODE


def _run(word: str, rest: Sequence[str]) -> int:
    # Imported here, so that what they lack is reported like any other fault.
    if word in importlib.import_module("pipeline.core.stage").STAGES:
        return _run_stage(word, rest)
    with _interruptible():
        code: int = importlib.import_module("pipeline.commands.line").answer([word, *rest])
    return code


def _run_stage(stage: str, arguments: Sequence[str]) -> int:
    """Run one stage and record how long it took, if DVC has started it."""
    start = time.monotonic()
    importlib.import_module("pipeline.core.command_line").run_stage(stage, arguments)
    if "DVC_STAGE" in os.environ:
        importlib.import_module("pipeline.repository.durations").record_own_duration(time.monotonic() - start)
    return 0


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have a Ctrl-C raise KeyboardInterrupt in the body, if it is not switched off."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def start() -> int:
    """Run `main` as a process: silent if interrupted before or after its work, and readable wherever it prints."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Files and pipes hold UTF-8; a terminal of another encoding shows `\u2192` for what it lacks.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(start())
