"""What a project was at a revision: committed files out of Git, the others out of DVC's cache or remote.

Nothing is checked out: the working tree stays as it is.
"""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from dvc.exceptions import DvcException
from dvc.fs import FileSystem
from dvc.repo import Repo

from pipeline.core.errors import EnvironmentFault, UsageError

WORKING_TREE = "the working tree"


class Revision(NamedTuple):
    """A state of the project at `root`: the words that name it, and its commit; None is the working tree."""

    root: Path
    name: str
    commit: str | None


def revision(root: Path, name: str | None) -> Revision:
    """Return the revision that `name` (branch, tag, commit, `HEAD~1`) means; None means the working tree.

    Raises:
        UsageError: There is no such commit.
        EnvironmentFault: Git is not there.
    """
    if name is None:
        return Revision(root, WORKING_TREE, None)
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found is None:
        raise UsageError(
            f"{name!r} is no commit of the Git repository at {root}; name a branch, a tag or a commit that is here "
            "(a shallow clone lacks older ones: git fetch --deepen 100)"
        )
    return Revision(root, name, found.decode().strip())


def text(at: Revision, path: str) -> str | None:
    """Return a file that Git keeps; None where there is none or it is not UTF-8."""
    if at.commit is None:
        try:
            content: bytes | None = (at.root / path).read_bytes()
        except OSError:
            return None
    else:
        content = _git(at.root, "cat-file", "blob", f"{at.commit}:./{path}")
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def checked_out(at: Revision) -> list[Path]:
    """Return the folders of the project in the Git worktrees that stand at the revision."""
    if at.commit is None:
        return [at.root]
    inner = (_git(at.root, "rev-parse", "--show-prefix") or b"").decode().strip()
    listed = (_git(at.root, "worktree", "list", "--porcelain") or b"").decode()
    found = [block.splitlines() for block in listed.split("\n\n")]
    return [Path(lines[0].removeprefix("worktree ")) / inner for lines in found if f"HEAD {at.commit}" in lines]


def tables(at: Revision, paths: Iterable[str]) -> dict[str, pa.Table | str]:
    """Return Parquet files that DVC keeps, by their paths; where one is not to be had, why.

    A file of the working tree is taken as it lies there; all others come from DVC's cache or, file by file, its remote.

    Raises:
        EnvironmentFault: The project is no DVC repository.
    """
    try:
        with _tracked(at) as files:
            return {path: _table(at, files, path) for path in paths}
    except DvcException as error:
        raise EnvironmentFault(f"DVC cannot read {at.name} of {at.root}: {error}") from error


@contextmanager
def _tracked(at: Revision) -> Iterator[FileSystem]:
    """Yield what DVC keeps at a revision, under the settings of the working tree: an old one may know no remote."""
    with Repo(str(at.root)) as here:
        settings = {name: dict(here.config[name]) for name in ("core", "cache", "remote")}
    with Repo(str(at.root), config=settings) as repo, repo.switch(at.commit or "workspace"):
        yield repo.dvcfs


def _table(at: Revision, files: FileSystem, path: str) -> pa.Table | str:
    """Return one table, or why there is none."""
    try:
        if at.commit is None and (at.root / path).is_file():
            return pq.read_table(at.root / path)
        with files.open(path, "rb") as stream:
            return pq.read_table(stream)
    except FileNotFoundError:
        return "in neither DVC's cache nor a remote"
    except (OSError, pa.ArrowException, DvcException) as error:
        return f"not readable ({type(error).__name__})"


def _git(root: Path, *words: str) -> bytes | None:
    """Return what Git prints; None where it finds nothing.

    Raises:
        EnvironmentFault: Git is not there.
    """
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    except OSError as error:
        raise EnvironmentFault(f"git could not be run: {error}. Install it, then run again.") from error
    return done.stdout if done.returncode == 0 else None
