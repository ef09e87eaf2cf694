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


def pack_code(written: Collection[str]) -> ProjectCode:
    """Return the code of HEAD in the working directory; the files that a run has `written` there may differ.

    Raises:
        UsageError: Files that Git keeps were changed since HEAD.
        EnvironmentFault: There is no commit, or Git is not installed.
    """
    tree = read_output(["git", "rev-parse", "--verify", "HEAD:./"], fix="Commit the project, then run again.")
    differing = read_output(["git", "diff", "--name-only", "-z", "--relative", "HEAD", "--", "."]).split("\0")
    if changed := sorted({*filter(None, differing)} - {*written}):
        raise UsageError(
            f"{Path.cwd()}: {len(changed)} file(s) changed since the last commit, {listed(changed)}. Commit them: "
            "other machines run committed code only."
        )
    return ProjectCode(tree, _git(["pack-objects", "--quiet", "--revs", "--stdout"], Path(), tree.encode()))


def lay_code(code: ProjectCode, clone: Path, cache: Path) -> None:
    """Make the files that Git keeps in `clone` those of the code, whatever is there; its DVC keeps data in `cache`.

    Raises:
        EnvironmentFault: Git is not installed or failed.
    """
    if not (clone / ".git").is_dir():
        clone.mkdir(parents=True, exist_ok=True)
        _git(["init", "--quiet"], clone)
    if run_program(["git", "cat-file", "-e", code.tree], cwd=clone).returncode:
        _git(["unpack-objects", "-q"], clone, code.pack)
    _git(["read-tree", "--reset", "-u", code.tree], clone)
    with publish(clone / ".dvc/config.local") as partial:
        partial.write_text(f"[cache]\n    dir = {cache.resolve()}\n", encoding="utf-8")


def _git(words: list[str], folder: Path, stdin: bytes = b"") -> bytes:
    completed = run_program(["git", *words], cwd=folder, stdin=stdin)
    if completed.returncode:
        reason = completed.stderr.decode("utf-8", "replace").strip()
        raise EnvironmentFault(f"{folder.resolve()}: git {words[0]} failed, {reason}. {FIX}")
    return completed.stdout
