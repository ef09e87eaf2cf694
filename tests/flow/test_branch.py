import os

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.flow.branch import publish_results
from tests.given.projects import ENVIRONMENT, Project


@pytest.fixture
def project(tmp_path, monkeypatch):
    project = Project(tmp_path / "work", {"dvc.lock": "old", "metrics.json": "1", "notes.md": "n"}, git=True)
    project.run("git", "add", "--all")
    project.run("git", "commit", "-q", "-m", "First")
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])
    return project


def test_results_go_to_a_branch_and_nothing_else_is_touched(project, tmp_path):
    project.run("git", "init", "-q", "--bare", str(tmp_path / "there"))
    project.run("git", "remote", "add", "origin", str(tmp_path / "there"))
    project.write("notes.md", "somebody's work")
    project.write("staged.md", "staged")
    project.run("git", "add", "staged.md")
    before = project.run("git", "status", "--porcelain", "--branch")
    assert publish_results(["dvc.lock", "metrics.json", "gone"], "runs/one", "Say", how="branch") is None
    project.write("dvc.lock", "new")
    commit = publish_results(["dvc.lock", "metrics.json", "gone"], "runs/one", "Say it\n\nmore", how="branch")
    assert project.run("git", "diff", "--name-only", "HEAD", commit).split() == ["dvc.lock"]
    assert project.run("git", "show", "runs/one:dvc.lock") == "new"
    assert project.run("git", "show", "runs/one:notes.md") == "n"
    assert project.run("git", "log", "-1", "--format=%s, %an", "runs/one") == "Say it, T\n"
    assert project.run("git", "ls-remote", "origin", "runs/one").split()[0] == commit
    project.run("git", "checkout", "-q", "HEAD", "--", "dvc.lock")
    assert project.run("git", "status", "--porcelain", "--branch") == before
    assert project.read("notes.md") == "somebody's work"


def test_the_pipeline_commits_if_git_has_no_user_configured(project, monkeypatch):
    for level in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{level}", os.devnull)
    project.run("git", "config", "--unset", "user.name")
    project.run("git", "config", "--unset", "user.email")
    project.run("git", "config", "user.useConfigOnly", "true")  # do not derive one from the name of the machine
    project.write("dvc.lock", "new")
    commit = publish_results(["dvc.lock"], "runs/one", "Say", how="branch")
    assert project.run("git", "show", "-s", "--format=%an <%ae>, %cn", commit).startswith(
        "Transferline <transferline@localhost>, Transferline"
    )


def test_nothing_is_published_unasked_and_an_existing_branch_is_not_moved(project):
    project.write("dvc.lock", "new")
    assert publish_results(["dvc.lock"], "runs/one", "Say", how="nothing") is None
    assert project.run("git", "branch", "--list", "runs/*") == ""
    assert publish_results(["dvc.lock"], "runs/one", "Say", how="branch")
    project.write("dvc.lock", "newer")
    with pytest.raises(EnvironmentFault, match="git update-ref"):
        publish_results(["dvc.lock"], "runs/one", "Say", how="branch")
    assert project.run("git", "show", "runs/one:dvc.lock") == "new"


def test_a_pull_request_is_opened_by_gh(project, tmp_path, monkeypatch):
    project.write("dvc.lock", "new")
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(EnvironmentFault, match=r"runs/one.* gh"):
        publish_results(["dvc.lock"], "runs/one", "Say it", how="pull-request")
    tool = tmp_path / "bin" / "gh"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("shutil.which", lambda _name: str(tool))
    publish_results(["dvc.lock"], "runs/two", "Say it", how="pull-request")
    assert (tmp_path / "arguments").read_text() == "pr create --head runs/two --title Say it --body Say it\n"
