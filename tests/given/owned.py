"""A clone of the pipeline as it stands in the working tree, committed, and the identity that Git asks for."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Tester"), ("EMAIL", "tester@example.org"))
}


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def make_clone(root: Path) -> Path:
    """Write the files of the working tree that a project may hold, and some that it may not, to a repository."""
    listed = (ROOT / "pipeline/project/templates/files.txt").read_text(encoding="utf-8").splitlines()
    for name in [*(name for name in listed if not name.startswith("#")), "README.md", "docs/log.md", "dvc.lock"]:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copyfile(source, target)
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit_all(root)
    return root


def commit_all(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Change")


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {name}"
    (root / name).write_text(text.replace(old, new, 1), encoding="utf-8")
