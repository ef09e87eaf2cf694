"""A folder without a DVC repository, for each command that needs one."""

import pytest

from pipeline.__main__ import main
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.repository.access import open_repository
from pipeline.repository.lock_file import repair, restore_order
from pipeline.repository.outputs import list_git_paths, list_pages, read_metrics, refresh_imports
from tests.given.projects import Project


@pytest.mark.parametrize(
    "arguments", [("plan",), ("plan", "--json"), ("run",), ("run", "evaluate"), ("readme",), ("diff", "main")]
)
def test_a_command_outside_of_a_repository_is_an_environment_fault(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("")
    assert main(arguments) == EnvironmentFault.exit_code
    errors = capsys.readouterr().err
    assert errors.startswith(f"{arguments[0]}: ")
    assert str(tmp_path) in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    "use", [repair, lambda: restore_order((), ()), refresh_imports, list_git_paths, read_metrics, list_pages]
)
def test_each_use_of_the_repository_says_where_there_is_none(use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentFault, match=str(tmp_path)):
        use()


@pytest.mark.parametrize("words", [["plan"], ["run"], ["readme"]])
@pytest.mark.parametrize("name", ["dvc.yaml", "data.txt.dvc"])
def test_a_broken_file_of_dvc_is_a_usage_error_for_every_command(words, name, tmp_path, monkeypatch, capsys):
    project = Project(tmp_path, {"dvc.yaml": "stages: {}", "README.md": ""})
    project.write(name, "stages: [")
    monkeypatch.chdir(project.root)
    assert main(words) == 2
    errors = capsys.readouterr().err
    assert str(tmp_path) in errors
    assert name in errors


@pytest.mark.parametrize("use", [refresh_imports, list_git_paths, list_pages])
def test_a_broken_file_of_dvc_is_a_usage_error_for_every_use(use, tmp_path, monkeypatch):
    monkeypatch.chdir(Project(tmp_path, {"dvc.yaml": "stages: {}", "data.txt.dvc": "outs: 1"}).root)
    with pytest.raises(UsageError, match=rf"{tmp_path}: .*data\.txt\.dvc"):
        use()


def test_a_repository_is_opened_by_its_folder(tmp_path):
    project = Project(tmp_path / "project", {"dvc.yaml": "stages: {}"})
    with open_repository(project.root) as repo:
        assert repo.root_dir == str(project.root)
