"""The project at a revision: committed files from Git, all others from DVC's cache or remote.

Nothing is checked out: the working tree stays as it is.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from dvc.exceptions import DvcException
from dvc.fs import FileSystem, LocalFileSystem
from dvc.repo import Repo
from dvc_data.hashfile.hash import file_md5

from pipeline.core.command import run_program
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.repository.access import open_repository

WORKING_TREE = "the working tree"


class ProjectRevision(NamedTuple):
    """A state of the project at `root`: the name it was asked for by, and its commit (None: the working tree)."""

    root: Path
    name: str
    commit: str | None


def resolve_revision(root: Path, name: str | None) -> ProjectRevision:
    """Return the revision called `name` (branch, tag, commit, `HEAD~1`); None is the working tree.

    Raises:
        UsageError: There is no such commit.
        EnvironmentFault: Git is not installed, or `root` is in no Git repository.
    """
    if name is None:
        return ProjectRevision(root, WORKING_TREE, None)
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if commit is None and _git(root, "rev-parse", "--git-dir") is None:
        raise EnvironmentFault(f"{root}: not in a Git repository. Run in the project's folder.")
    if commit is None and _git(root, "rev-parse", "--verify", "--quiet", "HEAD") is None:
        raise UsageError(f"{root}: the Git repository has no commit yet, so none called {name!r}. Commit first.")
    if commit is None:
        raise UsageError(
            f"{root}: the Git repository has no commit {name!r}. Name a branch, a tag or a commit that is here (a "
            "shallow clone lacks older ones: git fetch --deepen 100)."
        )
    return ProjectRevision(root, name, commit.decode().strip())


def read_git_file(at: ProjectRevision, path: str) -> str | None:
    """Return a file that Git keeps; None if there is none, or it is not UTF-8."""
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


def list_worktrees(at: ProjectRevision) -> list[Path]:
    """Return the project's folder in each Git worktree that stands at the revision."""
    if at.commit is None:
        return [at.root]
    inner = (_git(at.root, "rev-parse", "--show-prefix") or b"").decode().strip()
    worktrees = (_git(at.root, "worktree", "list", "--porcelain") or b"").decode().split("\n\n")
    blocks = [worktree.splitlines() for worktree in worktrees]
    return [Path(lines[0].removeprefix("worktree ")) / inner for lines in blocks if f"HEAD {at.commit}" in lines]


@contextmanager
def open_revision(at: ProjectRevision) -> Iterator[Repo]:
    """Yield DVC's repository at a revision, with the settings of the working tree: an old revision may have no remote.

    Raises:
        EnvironmentFault: The project is not a DVC repository, or DVC cannot read the revision.
    """
    with open_repository(at.root) as present:
        settings = {name: dict(present.config[name]) for name in ("core", "cache", "remote")}
    try:
        with Repo(str(at.root), config=settings) as repo, repo.switch(at.commit or "workspace"):
            yield repo
    except DvcException as error:
        raise EnvironmentFault(
            f"{at.root}: DVC cannot read {at.name}, {error}. Fix what it reports, then run again."
        ) from error


def read_dvc_tables(repo: Repo, at: ProjectRevision, paths: Iterable[str]) -> dict[str, pa.Table | str]:
    """Return Parquet files that DVC keeps, by path; in place of a table that is not available, the reason as text.

    `repo` is open at the revision. A file of the working tree is read from disk; all others come from DVC's cache or,
    file by file, from its remote.
    """
    return {path: _read_table(at, repo.dvcfs, path) for path in paths}


def _read_table(at: ProjectRevision, files: FileSystem, path: str) -> pa.Table | str:
    """Return one table, or why it is not available."""
    try:
        if at.commit is None and (at.root / path).is_file():
            return pq.read_table(at.root / path)
        with files.open(path, "rb") as stream:
            return pq.read_table(stream)
    except FileNotFoundError:
        return "in neither DVC's cache nor a remote"
    except (OSError, pa.ArrowException, DvcException) as error:
        return f"not readable ({type(error).__name__})"


def copy_dvc_files(repo: Repo, at: ProjectRevision, path: str, target: Path) -> bool:
    """Copy a file or a folder that DVC keeps to `target`; return whether the revision has it.

    `repo` is open at the revision. It comes from DVC's cache or its remote, and never from the working tree.

    Raises:
        EnvironmentFault: It is in neither, or is damaged.
    """
    files = repo.dvcfs
    if not files.exists(path):
        return False
    try:
        for source in files.find(path):
            place = target.joinpath(*files.relparts(source, path)) if source != path else target
            place.parent.mkdir(parents=True, exist_ok=True)
            with files.open(source, "rb") as stream, place.open("wb") as out:
                shutil.copyfileobj(stream, out)
            if file_md5(str(place), LocalFileSystem()) != files.info(source)["md5"]:
                raise EnvironmentFault(f"{at.name}: {source} is damaged in DVC's cache. Run `dvc repro --force`.")
    except (OSError, DvcException) as error:
        raise EnvironmentFault(
            f"{at.name}: {path} is in neither DVC's cache nor a remote, {error}. Run `dvc pull` or `dvc repro`."
        ) from error
    return True


def _git(root: Path, *words: str) -> bytes | None:
    """Return Git's output; None if it fails.

    Raises:
        EnvironmentFault: Git is not installed.
    """
    completed = run_program(["git", *words], cwd=root)
    return completed.stdout if completed.returncode == 0 else None
