"""Files that are whole or absent, and whose bytes depend on their content alone."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.core.document import json_text
from pipeline.core.errors import REPRODUCE, EnvironmentFault


@contextmanager
def publish(out: Path) -> Iterator[Path]:
    """Yield a path beside `out` to write to; on success it becomes `out`, on any error it is removed.

    The path is `<out>.partial`; whatever was there before is removed first. The body writes either a file or a
    folder. Every byte is on disk (fsync) before the rename, so a reader sees the old content, the new, or (for an
    instant, and a folder only) nothing, never a part.

    Raises:
        EnvironmentFault: The body raised `OSError` (disk full, no permission).
    """
    partial = out.with_name(out.name + ".partial")
    try:
        remove(partial)
        out.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _sync(partial)
        old = out.with_name(out.name + ".old.partial")
        remove(old)
        if out.is_dir() and not out.is_symlink():
            out.rename(old)  # a folder that is not empty cannot be replaced in one step
        partial.replace(out)
        remove(old)
        _sync(out.parent, deep=False)
    except OSError as error:
        with suppress(OSError):  # what could not be made may not be removable either
            remove(partial)
        raise EnvironmentFault(
            f"{out}: could not be written, {error}. Free space or fix the permissions, then run again."
        ) from error
    except BaseException:  # an interrupt leaves no half output either
        remove(partial)
        raise


def remove(path: Path) -> None:
    """Remove a file or a whole folder, if it exists; a link is removed, its target is not."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def find_repository(path: Path) -> Path | None:
    """Return the nearest folder around a path that DVC manages; None outside a repository."""
    return next((folder for folder in path.absolute().parents if (folder / ".dvc").is_dir()), None)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_utf8(path: Path) -> str:
    """Return the text of a file that a person has named or written.

    Raises:
        EnvironmentFault: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(f"{path}: could not be read, {error}. Correct the path or the file.") from error


def write_json(out: Path, value: object) -> None:
    """Publish `value` as strict JSON (see `json_text`)."""
    with publish(out) as partial:
        partial.write_text(json_text(value), encoding="utf-8")


def read_json(path: Path, *, fix: str = REPRODUCE) -> Any:
    """Return the value of a strict JSON file; `fix` ends the message if it cannot be read.

    Raises:
        EnvironmentFault: The file is missing, not UTF-8, not JSON, or holds NaN or Infinity.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except (OSError, ValueError) as error:
        raise EnvironmentFault(f"{path}: could not be read, {error}. {fix}") from error


def _sync(path: Path, *, deep: bool = True) -> None:
    """Flush a file, or a folder and (`deep`) everything in it, to disk."""
    if deep and path.is_dir():
        for child in path.iterdir():
            _sync(child)
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
