"""The Makefile: what its targets would run, as `make --dry-run` prints it."""

import re
import shutil
import subprocess

import pytest

STAGES = {"": ["evaluate", "inspect"], "  export:\n": ["evaluate", "inspect", "export"]}


@pytest.mark.parametrize("stages", STAGES)
def test_one_task_is_exported_too_if_the_project_exports_models(tmp_path, stages):
    for name in ("Makefile", "requirements.lock"):
        shutil.copyfile(name, tmp_path / name)
    (tmp_path / "dvc.yaml").write_text(f"stages:\n  evaluate:\n{stages}")
    words = ["make", "--dry-run", "repro", "TASK=a b"]
    printed = subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    (targets,) = re.findall(r"^dvc repro (.*)$", printed, re.MULTILINE)
    assert targets.split() == [f"{stage}@{task}" for task in "ab" for stage in STAGES[stages]]
