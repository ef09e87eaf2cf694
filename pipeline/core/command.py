"""Other programs (git, gh, dvc, prefect): run one to its end, and report its failure like every other one."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.core.errors import EnvironmentFault

WORDS_SHOWN = 4  # of a command in a message; later ones may be long, or hold an address with a password
LINES_SHOWN = 8  # of a program's last words, blank ones left out: all that Git says if it does not know who commits
FIX = "Fix what it reports, then run again."


def run_program(
    words: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end and return its exit code, standard output and standard error, whatever the code is.

    `env` is added to this process's environment; `stdin` is all that the program can read.

    Raises:
        EnvironmentFault: The program is not installed, or could not be started in `cwd`.
    """
    try:
        return subprocess.run(
            words, cwd=cwd, env={**os.environ, **(env or {})}, input=stdin, capture_output=True, check=False
        )
    except OSError as error:
        fix = f"Install {words[0]}, then run again." if error.filename == words[0] else FIX
        raise EnvironmentFault(f"{_shown(words)}: could not be started, {error}. {fix}") from error


def read_output(
    words: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    fix: str = FIX,
) -> str:
    """Run a program (see `run_program`) and return its standard output as UTF-8 text, without white space around it.

    Raises:
        EnvironmentFault: The program is not installed, or its exit code is not 0; the message has the last lines of its
            standard error (of its standard output, if that is empty) and ends with `fix`.
    """
    completed = run_program(words, cwd=cwd, env=env, stdin=stdin)
    if completed.returncode:
        lines = (completed.stderr.strip() or completed.stdout).decode("utf-8", "replace").strip().splitlines()
        reason = "\n".join([line for line in lines if line.strip()][-LINES_SHOWN:]).rstrip(".") or "no output"
        raise EnvironmentFault(f"{_shown(words)}: failed with exit code {completed.returncode}, {reason}. {fix}")
    return completed.stdout.decode("utf-8", "replace").strip()


def _shown(words: Sequence[str]) -> str:
    return " ".join((Path(words[0]).name, *words[1:WORDS_SHOWN]))
