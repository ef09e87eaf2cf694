"""The committed code of a project as bytes: what a worker checks out, with no Git server in between."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from pipeline.core.command import FIX, read_output, run_program
from pipeline.core.errors import EnvironmentFault, UsageError, listed
from pipeline.core.files import publish


class ProjectCode(NamedTuple):
    """The project's folder at a commit: the id of its tree in Git, and a pack with the tree and all that is in it."""

    tree: str
    pack: bytes


def find_commit() -> str:
    """Return the id of the commit of HEAD in the working directory.

    Raises:
        EnvironmentFault: There is no commit, or Git is not installed.
    """
    return read_output(["git", "rev-parse", "--verify", "HEAD"], fix="Commit the project, then run again.")


def require_commit(commit: str, written: Collection[str]) -> None:
    """Require that the working directory is as in the commit; the files that a run has `written` may differ.

    Raises:
        UsageError: Files that Git keeps differ.
        EnvironmentFault: Git failed.
    """
    differing = read_output(["git", "diff", "--name-only", "-z", "--relative", commit, "--", "."]).split("\0")
    if changed := sorted({*filter(None, differing)} - {*written}):
        raise UsageError(
            f"{Path.cwd()}: {len(changed)} file(s) differ from commit {commit[:10]}, {listed(changed)}. Commit them, "
            "then run again: other machines run committed code only."
        )


def pack_code(commit: str) -> ProjectCode:
    """Return the code of a commit, of the working directory and what is below it.

    Raises:
        EnvironmentFault: Git failed.
    """
    tree = read_output(["git", "rev-parse", "--verify", f"{commit}:./"])
    return ProjectCode(tree, _git(["pack-objects", "--quiet", "--revs", "--stdout"], Path(), tree.encode()))


def lay_code(code: ProjectCode, clone: Path, cache: Path) -> None:
    """Make the files that Git keeps in `clone` those of the code, whatever is there; its DVC keeps data in `cache`.

    Nobody else may use the clone. A call that was killed at any moment is no obstacle to the next one.

    Raises:
        EnvironmentFault: Git is not installed or failed.
    """
    clone.mkdir(parents=True, exist_ok=True)
    for lock in (clone / ".git").glob("*.lock"):  # of a Git that was killed: of its index, its config or its HEAD
        lock.unlink()
    _git(["init", "--quiet"], clone)  # completes one that was killed
    _git(["index-pack", "--stdin"], clone, code.pack)  # all of its objects at once, or none
    _git(["read-tree", "--reset", "-u", code.tree], clone)
    with publish(clone / ".dvc/config.local") as partial:
        partial.write_text(f"[cache]\n    dir = {cache.resolve()}\n", encoding="utf-8")


def _git(words: list[str], folder: Path, stdin: bytes = b"") -> bytes:
    completed = run_program(["git", *words], cwd=folder, stdin=stdin)
    if completed.returncode:
        reason = completed.stderr.decode("utf-8", "replace").strip()
        raise EnvironmentFault(f"{folder.resolve()}: git {words[0]} failed, {reason}. {FIX}")
    return completed.stdout
