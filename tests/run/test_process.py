"""One stage as a process: real `dvc repro`, and what a stage leaves behind. More through tests/flow/test_flow.py."""

import signal
import subprocess
import sys

import pytest

from pipeline.run.places.here import REPRO
from pipeline.run.process import StageProcess, capture_on_leash
from tests.given.projects import COVERAGE, ENVIRONMENT, Project, gone, tree, until

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


HOLDER = """
from pipeline.run.process import capture_on_leash

capture_on_leash(["sh", "-c", "touch begun; sleep 600"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_a_process_captures_ends_with_it(tmp_path, number):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=tmp_path, env={**ENVIRONMENT, **COVERAGE}, stderr=subprocess.DEVNULL
    )
    until((tmp_path / "begun").exists)
    family = [member.pid for member in tree(holder.pid)]
    holder.send_signal(number)
    holder.wait()
    until(lambda: all(gone(pid) for pid in family))


def test_the_output_and_the_code_of_what_is_captured():
    done = capture_on_leash(["sh", "-c", "echo out; echo err >&2; cat; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
