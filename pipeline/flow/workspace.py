"""The workspace of a run: a clone at a commit of the project, which shares DVC's cache with it."""

from pathlib import Path

from pipeline.core.command import read_output


def prepare_workspace(source: str, folder: str, revision: str = "HEAD") -> dict[str, str]:
    """Make `folder` a clone of `source` at `revision` with the data that DVC has; return `{"directory": FOLDER}`.

    This is the pull step of a deployment. Changes of tracked files that the last run has left are dropped.

    Raises:
        EnvironmentFault: git or DVC failed.
    """
    clone = Path(folder).resolve()
    check_out_commit(source, clone, revision)
    if read_output(["dvc", "remote", "list"], cwd=clone):
        read_output(["dvc", "pull", "--quiet", "--run-cache", "--allow-missing", "--force"], cwd=clone)
    else:
        read_output(["dvc", "checkout", "--quiet", "--allow-missing", "--force"], cwd=clone)
    return {"directory": str(clone)}


def check_out_commit(source: str, clone: Path, revision: str = "HEAD") -> None:
    """Clone `source` (a folder or a URL) into `clone`, unless that is done, and check out the commit of `revision`.

    Changes of files that Git keeps are dropped. If `source` is a folder, the clone shares its DVC cache, wherever that
    is: nothing is stored twice, and a result computed in one is restored in the other.

    Raises:
        EnvironmentFault: git or DVC failed.
    """
    if not (clone / ".git").is_dir():
        read_output(["git", "clone", "--quiet", "--no-checkout", source, str(clone)])
    read_output(["git", "fetch", "--quiet", "--force", "origin", revision], cwd=clone)
    read_output(["git", "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD"], cwd=clone)
    if (Path(source) / ".dvc").is_dir():  # neither a URL nor a bare repository
        cache = read_output(["dvc", "cache", "dir"], cwd=Path(source)).strip()
        read_output(["dvc", "cache", "dir", "--local", cache], cwd=clone)
