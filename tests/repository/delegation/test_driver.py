"""The remote that several machines need; the rest of the driver is tested through tests/run/places/test_cluster.py."""

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.repository.delegation.driver import require_shared_remote
from tests.given.projects import Project

REMOTE = "[core]\n    remote = kept\n['remote \"kept\"']\n    url = /kept\n"
OTHER = REMOTE.replace("kept", "mine")


@pytest.fixture
def project(tmp_path, monkeypatch):
    made = Project(tmp_path / "project", {"dvc.yaml": "stages: {}\n"}, git=True)
    monkeypatch.chdir(made.root)
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "global"))
    (tmp_path / "global").mkdir()
    return made


@pytest.mark.parametrize("file", [".dvc/config", "../global/config"])
def test_a_default_remote_may_be_that_of_the_project_or_of_the_user(project, file):
    project.write(file, REMOTE)
    require_shared_remote()
    project.write(file, REMOTE.replace("/kept", "../kept"))
    with pytest.raises(EnvironmentFault, match="relative"):
        require_shared_remote()


@pytest.mark.parametrize("shared", ["", REMOTE])
def test_one_of_this_machine_alone_is_refused(project, shared):
    project.write(".dvc/config", shared)
    project.write(".dvc/config.local", OTHER)
    with pytest.raises(EnvironmentFault, match=r"config\.local.*'mine'"):
        require_shared_remote()


def test_an_address_of_this_machine_alone_is_its_own_affair(project):
    project.write(".dvc/config", REMOTE)
    project.write(".dvc/config.local", "['remote \"kept\"']\n    url = /elsewhere\n")
    require_shared_remote()
