"""One stage as a process: real `dvc repro`, and what a stage leaves behind. More through tests/flow/test_flow.py."""

import pytest

from pipeline.run.places.here import REPRO
from pipeline.run.process import StageProcess
from tests.given.projects import Project, gone, until

BACKGROUND = "stages: {a: {cmd: '(sleep 40; touch late) & echo $! > pid; touch a', outs: [a]}}\n"
TALKING = "stages: {a: {cmd: 'echo $$ > pid; echo begun; sleep 600', outs: [a]}}\n"


def test_what_a_stage_leaves_in_the_background_is_killed_and_not_waited_for(tmp_path):
    project = Project(tmp_path, {"dvc.yaml": BACKGROUND})
    assert StageProcess([*REPRO, "a"], project.root, {}, timeout=None).follow(lambda _: None).state == "Ran"
    assert not (project.root / "late").exists()
    until(lambda: gone(int(project.read("pid"))))


def test_a_stage_whose_reader_fails_is_stopped_in_order(tmp_path):
    def fail(line: str) -> None:
        if line == "begun":
            raise ZeroDivisionError

    project = Project(tmp_path, {"dvc.yaml": TALKING})
    with pytest.raises(ZeroDivisionError):
        StageProcess([*REPRO, "a"], project.root, {}, timeout=None).follow(fail)
    until(lambda: gone(int(project.read("pid"))))
