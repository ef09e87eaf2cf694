"""The Makefile: what its targets would run, as `make --dry-run` prints it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

STAGES = {"": ["evaluate", "inspect"], "  export:\n": ["evaluate", "inspect", "export"]}


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "my project"
    root.mkdir()
    for name in ("Makefile", "requirements.lock"):
        shutil.copyfile(name, root / name)
    (root / "dvc.yaml").write_text("stages:\n  evaluate:\n")
    return root


def print_commands(project: Path, *words: str, active: Path | None = None) -> str:
    """Return what a target would run while an environment is active."""
    command = ["make", "--dry-run", *words]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment |= {"VIRTUAL_ENV": str(active)} if active else {}
    return subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("stages", STAGES)
def test_one_task_is_exported_too_if_the_project_exports_models(project, stages):
    (project / "dvc.yaml").write_text(f"stages:\n  evaluate:\n{stages}")
    (targets,) = re.findall(r"^dvc repro (.*)$", print_commands(project, "repro", "TASK=a b"), re.MULTILINE)
    assert targets.split() == [f"{stage}@{task}" for task in "ab" for stage in STAGES[stages]]


def test_an_active_environment_of_the_same_packages_is_used(project):
    active = project.parent / "my clone"
    active.mkdir()
    shutil.copyfile("requirements.lock", active / ".complete")
    assert "pip install" not in print_commands(project, "setup", active=active)
    (active / ".complete").write_text("other==1\n")
    assert "pip install" in print_commands(project, "setup", active=active)
    assert "pip install" in print_commands(project, "setup")
