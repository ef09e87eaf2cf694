"""The pull step of a deployment: a clone that belongs to scheduled runs alone, at the newest commit, with its data."""

import os
import subprocess
from pathlib import Path

from pipeline.core.errors import EnvironmentFault


def bring(source: str, folder: str, revision: str = "HEAD") -> dict[str, str]:
    """Make `folder` a clone of `source` at `revision`, with what DVC has of its data; return it as the run's directory.

    What the last run has left and nobody committed is dropped. The clone shares DVC's cache with a `source` that is a
    folder, so nothing is stored twice and a result computed in one is restored in the other.

    Raises:
        EnvironmentFault: git or DVC failed.
    """
    clone = Path(folder).resolve()
    if not (clone / ".git").is_dir():
        _command("git", "clone", "--quiet", "--no-checkout", source, str(clone), folder=Path.cwd())
    _command("git", "fetch", "--quiet", "--force", "origin", revision, folder=clone)
    _command("git", "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD", folder=clone)
    cache = Path(source) / ".dvc/cache"
    if cache.is_dir():
        _command("dvc", "cache", "dir", "--local", str(cache.resolve()), folder=clone)
    if _command("dvc", "remote", "list", folder=clone):
        _command("dvc", "pull", "--quiet", "--run-cache", "--allow-missing", "--force", folder=clone)
    else:
        _command("dvc", "checkout", "--quiet", "--allow-missing", "--force", folder=clone)
    return {"directory": str(clone)}


def _command(*words: str, folder: Path) -> str:
    done = subprocess.run(
        words, cwd=folder, env=os.environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise EnvironmentFault(f"`{' '.join(words[:3])}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()
