import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.flow.workspace import prepare_workspace
from tests.given.projects import ENVIRONMENT, Project

STAGES = "stages:\n  a: {cmd: cp in.txt a.txt, deps: [in.txt], outs: [a.txt]}\n"


def test_a_run_gets_a_clone_at_the_newest_commit_with_the_data_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])
    project = Project(tmp_path / "work", {"dvc.yaml": STAGES, "in.txt": "one"}, git=True)
    project.run("dvc", "repro", "-q")
    project.run("git", "add", "--all")
    project.run("git", "commit", "-q", "-m", "First")
    project.write("in.txt", "uncommitted work")
    folder = tmp_path / "clone of runs"
    assert prepare_workspace(str(project.root), str(folder)) == {"directory": str(folder)}
    assert (folder / "in.txt").read_text() == "one"
    assert (folder / "a.txt").read_text() == "one"
    (folder / "in.txt").write_text("left by a run")
    project.run("git", "commit", "-q", "--all", "-m", "Second")
    prepare_workspace(str(project.root), str(folder))
    assert (folder / "in.txt").read_text() == "uncommitted work"
    remote = tmp_path / "remote"
    project.run("dvc", "remote", "add", "-d", "there", str(remote))
    project.run("dvc", "repro", "-q")
    project.run("dvc", "push", "-q")
    project.run("git", "commit", "-q", "--all", "-m", "Third")
    prepare_workspace(str(project.root), str(folder))
    assert (folder / "a.txt").read_text() == "uncommitted work"


def test_a_cache_that_stands_elsewhere_is_shared(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])
    project = Project(tmp_path / "work", {"dvc.yaml": STAGES, "in.txt": "one"}, git=True)
    project.run("dvc", "cache", "dir", "--local", "../cache of all")
    project.run("dvc", "repro", "-q")
    project.run("git", "add", "--all")
    project.run("git", "commit", "-q", "-m", "First")
    folder = tmp_path / "clone of runs"
    prepare_workspace(str(project.root), str(folder))
    assert (folder / "a.txt").read_text() == "one"
    assert not (folder / ".dvc/cache").exists()


def test_a_source_that_is_not_there_is_an_environment_fault(tmp_path):
    with pytest.raises(EnvironmentFault, match="git clone"):
        prepare_workspace(str(tmp_path / "nothing"), str(tmp_path / "clone"))
