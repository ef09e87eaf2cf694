import subprocess
from pathlib import Path

import pytest

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.run.places.code import find_commit, lay_code, pack_code, require_commit
from tests.given.clusters import commit
from tests.given.projects import Project

FILES = {"dvc.yaml": "stages: {}\n", "a.txt": "one", "folder/b.txt": "two"}


def test_the_committed_code_is_laid_into_a_clone_whatever_is_there(tmp_path, monkeypatch):
    project = Project(tmp_path / "project", FILES, git=True)
    commit(project)
    monkeypatch.chdir(project.root)
    clone, cache = tmp_path / "clone", tmp_path / "cache"
    lay_code(pack_code(find_commit()), clone, cache)
    assert (clone / "folder/b.txt").read_text() == "two"
    assert str(cache) in (clone / ".dvc/config.local").read_text()
    (clone / "a.txt").write_text("changed")
    (clone / "out").write_text("kept")
    project.run("git", "mv", "folder/b.txt", "c.txt")
    commit(project)
    for _ in range(2):
        lay_code(pack_code(find_commit()), clone, cache)
        assert (clone / "a.txt").read_text() == "one"
        assert (clone / "c.txt").read_text() == "two"
        assert not (clone / "folder").exists()
        assert (clone / "out").read_text() == "kept"


def test_a_project_in_a_folder_of_a_repository_is_laid_as_it_is_there(tmp_path, monkeypatch):
    outer = Project(tmp_path / "outer", {"other.txt": "", "project/a.txt": "one", "project/.dvc/config": ""}, git=True)
    commit(outer)
    monkeypatch.chdir(outer.root / "project")
    lay_code(pack_code(find_commit()), tmp_path / "clone", tmp_path / "cache")
    assert sorted(path.name for path in (tmp_path / "clone").iterdir()) == [".dvc", ".git", "a.txt"]


def test_changes_since_the_commit_are_refused_but_for_those_of_a_run(tmp_path, monkeypatch):
    project = Project(tmp_path, FILES, git=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentFault, match="Commit"):
        find_commit()
    commit(project)
    pinned = find_commit()
    project.write("a.txt", "changed")
    require_commit(pinned, ["a.txt"])
    for commit_it in (False, True):
        if commit_it:
            commit(project)
        with pytest.raises(UsageError, match=r"1 file.*'a\.txt'"):
            require_commit(pinned, ["folder/b.txt"])
    assert pack_code(pinned).tree != pack_code(find_commit()).tree


def half_made(clone: Path, _tree: bytes) -> None:
    (clone / ".git/objects").mkdir(parents=True)


def half_unpacked(clone: Path, tree: bytes) -> None:
    subprocess.run(["git", "init", "-q", clone], check=True)
    words = ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"]
    subprocess.run(words, cwd=clone, input=tree, check=True, stdout=subprocess.DEVNULL)


def half_laid(clone: Path, _tree: bytes) -> None:
    subprocess.run(["git", "init", "-q", clone], check=True)
    (clone / ".git/index.lock").write_text("")
    (clone / "a.txt").write_text("o")


def half_configured(clone: Path, _tree: bytes) -> None:
    subprocess.run(["git", "init", "-q", clone], check=True)
    for name in ("config", "HEAD"):
        (clone / f".git/{name}.lock").write_text("")
    (clone / ".git/HEAD").unlink()


@pytest.mark.parametrize("leave", [half_made, half_unpacked, half_laid, half_configured])
def test_what_a_killed_worker_has_left_is_no_obstacle(tmp_path, monkeypatch, leave):
    project = Project(tmp_path / "project", FILES, git=True)
    commit(project)
    monkeypatch.chdir(project.root)
    code, clone = pack_code(find_commit()), project.root / "clone"  # a repository around it must stay as it is
    clone.mkdir()
    leave(clone, subprocess.run(["git", "cat-file", "tree", code.tree], capture_output=True, check=True).stdout)
    lay_code(code, clone, tmp_path / "cache")
    assert (clone / "a.txt").read_text() == "one"
    assert (clone / "folder/b.txt").read_text() == "two"
    require_commit(find_commit(), [])
