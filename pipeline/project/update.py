"""The update of a project: the files of another version of the pipeline, merged with what was edited here."""

from pathlib import Path

from pipeline.core.command import read_output, run_program
from pipeline.core.errors import UsageError
from pipeline.project.vendor import commit_version, find_version, read_version

_LOCK = "requirements.lock"


def update_project(source: str, revision: str = "HEAD", *, root: Path = Path()) -> tuple[int, str]:
    """Merge the version of the pipeline that `source` has at a branch or tag; return the exit code and what to do next.

    The code is 1 if Git has left conflicts. The merge is a commit of the present branch; nothing else is changed.

    Raises:
        UsageError: There are changes that are not committed, the project was not made by `init`, or there is no such
            repository or revision.
        EnvironmentFault: Git failed.
    """
    if read_output(["git", "status", "--porcelain", "--untracked-files=no"], cwd=root):
        raise UsageError("there are changes that are not committed. Commit them, then run again.")
    parent = find_version(root)
    if parent is None:
        raise UsageError(
            "the history has no version of the pipeline. Run in a whole clone of a project that `python -m pipeline "
            "init` has made (of a shallow one: git fetch --unshallow)."
        )
    version = read_version(source, revision)
    commit = commit_version(root, version, parent)
    if commit is None:
        return 0, f"the project has {version} already"
    before = read_output(["git", "rev-parse", "HEAD"], cwd=root)
    merged = run_program(["git", "merge", "--quiet", "-m", f"Update to {version}", commit], cwd=root)
    conflicts = read_output(["git", "diff", "--name-only", "--diff-filter=U"], cwd=root).splitlines()
    if conflicts:
        names = "".join(f"\n  {name}" for name in conflicts)
        return (
            1,
            f"{version} and your edits touch the same lines in:{names}\nEdit them, `git add` them, then `git commit`.",
        )
    if merged.returncode:
        raise UsageError(f"git merge: {merged.stderr.decode('utf-8', 'replace').strip()}. Fix that, then run again.")
    changed = read_output(["git", "diff", "--name-only", before, "HEAD"], cwd=root).splitlines()
    setup = "`make setup`, then " if _LOCK in changed else ""
    return 0, f"the project has {version} now, {len(changed)} files changed. Run {setup}`python -m pipeline plan`."
