"""The branch of a run: its results as a commit, which leaves the working tree and the index alone."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pipeline.core.command import read_output, run_program
from pipeline.core.errors import EnvironmentFault

Publish = Literal["nothing", "branch", "pull-request"]


def publish_results(paths: Iterable[str], name: str, message: str, *, how: Publish) -> str | None:
    """Commit the files at `paths`, as they are on disk, on top of HEAD as the new branch `name`; return the commit.

    If the repository has a remote, the branch is pushed to it; `pull-request` then opens a pull request by `gh`.
    Returns None if the files are as in HEAD, or `how` is `nothing`.

    Raises:
        EnvironmentFault: git or gh failed.
    """
    if how == "nothing":
        return None
    with TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}  # not the one in which somebody has staged changes
        _git("read-tree", "HEAD", environment=index)
        existing = [path for path in paths if Path(path).exists()]
        _git("add", "--force", "--", *existing, environment=index)
        tree = _git("write-tree", environment=index)
    if tree == _git("rev-parse", "HEAD^{tree}"):
        return None
    commit = _git("commit-tree", tree, "-p", "HEAD", "-m", message, environment=_identity())
    _git("update-ref", f"refs/heads/{name}", commit, "")  # fails if there is such a branch already
    if remotes := _git("remote").splitlines():
        _git("push", "--quiet", remotes[0], f"refs/heads/{name}")
    if how == "pull-request":
        _open_pull_request(name, message)
    return commit


def _open_pull_request(name: str, message: str) -> None:
    if shutil.which("gh") is None:
        raise EnvironmentFault(
            f"the branch {name} was created, but the pull request needs GitHub's `gh`, which is not installed. "
            "Install gh, then run again."
        )
    read_output(["gh", "pr", "create", "--head", name, "--title", message.splitlines()[0], "--body", message])


def _identity() -> dict[str, str]:
    """Return the author for Git: this pipeline, if Git has no user configured (say, on a server under a schedule)."""
    if run_program(["git", "var", "GIT_AUTHOR_IDENT"]).returncode == 0:
        return {}
    author = {"NAME": "Transferline", "EMAIL": "transferline@localhost"}
    return {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in author.items()}


def _git(*words: str, environment: Mapping[str, str] | None = None) -> str:
    return read_output(["git", *words], env=environment)
