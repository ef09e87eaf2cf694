import pytest

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.run.places.code import lay_code, pack_code
from tests.given.clusters import commit
from tests.given.projects import Project

FILES = {"dvc.yaml": "stages: {}\n", "a.txt": "one", "folder/b.txt": "two"}


def test_the_committed_code_is_laid_into_a_clone_whatever_is_there(tmp_path, monkeypatch):
    project = Project(tmp_path / "project", FILES, git=True)
    commit(project)
    monkeypatch.chdir(project.root)
    clone, cache = tmp_path / "clone", tmp_path / "cache"
    lay_code(pack_code([]), clone, cache)
    assert (clone / "folder/b.txt").read_text() == "two"
    assert str(cache) in (clone / ".dvc/config.local").read_text()
    (clone / "a.txt").write_text("changed")
    (clone / "out").write_text("kept")
    project.run("git", "mv", "folder/b.txt", "c.txt")
    commit(project)
    for _ in range(2):
        lay_code(pack_code([]), clone, cache)
        assert (clone / "a.txt").read_text() == "one"
        assert (clone / "c.txt").read_text() == "two"
        assert not (clone / "folder").exists()
        assert (clone / "out").read_text() == "kept"


def test_a_project_in_a_folder_of_a_repository_is_laid_as_it_is_there(tmp_path, monkeypatch):
    outer = Project(tmp_path / "outer", {"other.txt": "", "project/a.txt": "one", "project/.dvc/config": ""}, git=True)
    commit(outer)
    monkeypatch.chdir(outer.root / "project")
    lay_code(pack_code([]), tmp_path / "clone", tmp_path / "cache")
    assert sorted(path.name for path in (tmp_path / "clone").iterdir()) == [".dvc", ".git", "a.txt"]


def test_changes_since_the_commit_are_refused_but_for_those_of_a_run(tmp_path, monkeypatch):
    project = Project(tmp_path, FILES, git=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentFault, match="Commit"):
        pack_code([])
    commit(project)
    project.write("a.txt", "changed")
    with pytest.raises(UsageError, match=r"1 file.*'a\.txt'"):
        pack_code(["folder/b.txt"])
    assert pack_code(["a.txt"]).pack
