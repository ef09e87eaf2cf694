"""The results of a run on a branch of their own; the files and the index that somebody works with are left alone."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pipeline.core.errors import EnvironmentFault

Publish = Literal["nothing", "branch", "pull-request"]


def publish_results(paths: Iterable[str], name: str, message: str, *, how: Publish) -> str | None:
    """Commit the files at `paths` as they are on disk, on top of HEAD, as the new branch `name`; return the commit.

    Where the repository has a remote, the branch is pushed to it; `pull-request` then opens one by `gh`. None means
    that the files are as HEAD has them, or that nothing was to be published.

    Raises:
        EnvironmentFault: git or gh failed.
    """
    if how == "nothing":
        return None
    with TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}  # not the one somebody has staged things in
        _git("read-tree", "HEAD", environment=index)
        there = [path for path in paths if Path(path).exists()]
        _git("add", "--force", "--", *there, environment=index)
        tree = _git("write-tree", environment=index)
    if tree == _git("rev-parse", "HEAD^{tree}"):
        return None
    commit = _git("commit-tree", tree, "-p", "HEAD", "-m", message, environment=_identity())
    _git("update-ref", f"refs/heads/{name}", commit, "")  # only if there is no such branch yet
    if _git("remote"):
        _git("push", "--quiet", _git("remote").splitlines()[0], f"refs/heads/{name}")
    if how == "pull-request":
        _pull_request(name, message)
    return commit


def _pull_request(name: str, message: str) -> None:
    if shutil.which("gh") is None:
        raise EnvironmentFault(
            f"the branch {name} is there; to open a pull request GitHub's `gh` is needed. Install it."
        )
    _command("gh", "pr", "create", "--head", name, "--title", message.splitlines()[0], "--body", message)


def _identity() -> dict[str, str]:
    """Return who commits where Git knows nobody, as under a schedule on a server: this pipeline."""
    if subprocess.run(("git", "var", "GIT_AUTHOR_IDENT"), capture_output=True, check=False).returncode == 0:
        return {}
    who = {"NAME": "Transferline", "EMAIL": "transferline@localhost"}
    return {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in who.items()}


def _git(*words: str, environment: Mapping[str, str] | None = None) -> str:
    return _command("git", *words, environment=environment)


def _command(*words: str, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        words, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        raise EnvironmentFault(f"`{' '.join(words[:3])}` failed: {done.stderr.strip()}. Mend that and run again.")
    return done.stdout.strip()
