from pathlib import Path

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.repository.graph import stage_needs
from tests.given.projects import Project

STAGES = """stages:
  first:
    cmd: echo 1 > a.txt
    outs: [a.txt]
  each:
    foreach: [x, y]
    do:
      cmd: cp a.txt ${item}.txt
      deps: [a.txt]
      outs: ["${item}.txt"]
  alone:
    cmd: "true"
"""


def test_each_stage_has_the_names_of_those_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Project(tmp_path / "project", {"dvc.yaml": STAGES}).root)
    first = frozenset({"first"})
    assert stage_needs() == {"first": frozenset(), "each@x": first, "each@y": first, "alone": frozenset()}


def test_a_folder_without_a_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentFault, match=str(tmp_path)):
        stage_needs()
