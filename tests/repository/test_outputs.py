"""Imports and the files that Git keeps; metrics and pages are tested in tests/repository/test_planner.py."""

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.repository.outputs import list_git_paths, refresh_imports
from tests.given.projects import Project

STAGES = "stages:\n  a: {cmd: cp data.txt a, deps: [data.txt], outs: [a, b: {cache: false}]}\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "source.txt").write_text("old")
    project = Project(tmp_path / "project", {"dvc.yaml": STAGES})
    project.run("dvc", "import-url", "-q", str(tmp_path / "source.txt"), "data.txt")
    monkeypatch.chdir(project.root)
    return project


def test_an_import_is_refreshed_and_one_without_a_source_is_an_environment_fault(project, tmp_path):
    recorded = project.read("data.txt.dvc")
    refresh_imports()
    assert project.read("data.txt.dvc") == recorded
    (tmp_path / "source.txt").write_text("newer")
    refresh_imports()
    assert project.read("data.txt") == "newer"
    assert project.read("data.txt.dvc") != recorded
    (tmp_path / "source.txt").unlink()
    with pytest.raises(EnvironmentFault, match=r"^data\.txt\.dvc: "):
        refresh_imports()


@pytest.mark.usefixtures("project")
def test_git_keeps_the_lock_the_imports_and_what_dvc_does_not_cache():
    assert list_git_paths() == ["b", "data.txt.dvc", "dvc.lock"]
