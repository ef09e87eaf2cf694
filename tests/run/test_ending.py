import functools

import pytest

from pipeline.repository.plan import Step
from pipeline.run.ending import Ended, heard, results, told, totals


@pytest.mark.parametrize(
    ("lines", "ended"),
    [
        (["Running stage 'a':", "> sleep 1", "Updating lock file 'dvc.lock'"], Ended("Ran")),
        (["Stage 'a@b' is cached - skipping run, checking out outputs"], Ended("Restored")),
        (["Stage 'a' didn't change, skipping"], Ended("Unchanged")),
        (["'x.dvc' didn't change, skipping"], Ended("Unchanged")),
        (
            ["ERROR: failed to reproduce 'bad': failed to run: exit 3, exited with 3"],
            Ended("Failed", 3, "its command ended with 3"),
        ),
        (
            ["ERROR: failed to reproduce 'x': 'a.txt' is busy, it is being blocked by:", "  (PID 12): dvc repro"],
            Ended("Failed", 75, "another run has its files"),
        ),
        (["ERROR: output 'o' does not exist", "ERROR: and more"], Ended("Failed", 1, "output 'o' does not exist")),
        (["a line of the stage: ERROR: nothing of DVC's"], Ended("Ran")),
    ],
)
def test_dvcs_words_tell_how_it_ended(lines, ended):
    assert functools.reduce(lambda before, line: heard(line, before), lines, Ended("Ran")) == ended


def test_only_busy_and_environment_faults_are_worth_another_try():
    assert [code for code in range(256) if Ended("Failed", code).again] == [4, 75]
    assert not Ended("Cancelled", 75).again
    assert [end for end in ("Ran", "Restored", "Unchanged", "Blocked", "Failed", "Cancelled") if Ended(end).good] == [
        "Ran", "Restored", "Unchanged",
    ]  # fmt: skip


def test_the_ends_are_told_and_shown():
    plan = [Step(name, "run", (), (), "cpu", seconds) for name, seconds in (("a", 2.0), ("b|c", None), ("d", 1.0))]
    ends = {
        "a": Ended("Ran", seconds=3.0),
        "b|c": Ended("Failed", 3, "its command ended with 3"),
        "d": Ended("Unchanged"),
    }
    assert told("a", ends["a"]) == "a ran in 3.0 s"
    assert told("b", ends["b|c"]) == "b failed: its command ended with 3"
    assert results(plan, ends).splitlines() == [
        "| Stage | End | Took | Lately | |",
        "| --- | --- | ---: | ---: | --- |",
        "| a | Ran | 3.0 s | 2.0 s |  |",
        "| b\\|c | Failed |  |  | its command ended with 3 |",
        "",
        "1 ran, 1 failed, 1 unchanged",
    ]
    assert totals({}) == "no stages"
