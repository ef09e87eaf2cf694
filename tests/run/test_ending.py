import functools

import pytest

from pipeline.repository.plan import PlannedStage, StageReason
from pipeline.run.ending import StageEnd, describe_end, ends_to_markdown, parse_line, summarize_ends


@pytest.mark.parametrize(
    ("lines", "state", "code", "fact"),
    [
        (["Running stage 'a':", "> sleep 1", "Updating lock file 'dvc.lock'"], "Ran", 0, ""),
        (["Stage 'a@b' is cached - skipping run, checking out outputs"], "Restored", 0, ""),
        (["Stage 'a' didn't change, skipping"], "Unchanged", 0, ""),
        (["'x.dvc' didn't change, skipping"], "Unchanged", 0, ""),
        (["ERROR: failed to reproduce 'bad': failed to run: exit 3, exited with 3"], "Failed", 3, "3"),
        (
            ["ERROR: failed to reproduce 'x': 'a.txt' is busy, it is being blocked by:", "  (PID 12): dvc repro"],
            "Failed", 75, "another run",
        ),
        (["ERROR: output 'o' does not exist", "ERROR: and more"], "Failed", 1, "output 'o' does not exist"),
        (["a line of the stage: ERROR: nothing of DVC's"], "Ran", 0, ""),
    ],
)  # fmt: skip
def test_the_end_is_read_from_dvcs_output(lines, state, code, fact):
    end = functools.reduce(lambda before, line: parse_line(line, before), lines, StageEnd("Ran"))
    assert (end.state, end.code) == (state, code)
    assert fact in end.why
    assert bool(fact) == bool(end.why)


def test_only_busy_and_environment_faults_are_retried():
    assert [code for code in range(256) if StageEnd("Failed", code).retryable] == [4, 75]
    assert not StageEnd("Cancelled", 75).retryable
    states = ("Ran", "Restored", "Unchanged", "Blocked", "Failed", "Cancelled")
    assert [state for state in states if StageEnd(state).succeeded] == ["Ran", "Restored", "Unchanged"]


def test_the_ends_in_words_and_as_a_table():
    why = (StageReason("upstream", "a"),)
    plan = [
        PlannedStage(name, "run", why, (), "cpu", seconds) for name, seconds in (("a", 2.0), ("b|c", None), ("d", 1.0))
    ]
    ends = {
        "a": StageEnd("Ran", seconds=3.0),
        "b|c": StageEnd("Failed", 3, "its command failed with exit code 3"),
        "d": StageEnd("Unchanged"),
    }
    assert describe_end("a", ends["a"]) == "a ran in 3.0 s"
    assert describe_end("b", ends["b|c"]) == "b failed: its command failed with exit code 3"
    head, marks, *rows, empty, totals = ends_to_markdown(plan, ends).splitlines()
    assert head.count("|") == marks.count("|") == 6
    assert rows == [
        "| a | Ran | 3.0 s | 2.0 s | after a |",
        "| b&#124;c | Failed |  |  | its command failed with exit code 3 |",
        "| d | Unchanged |  | 1.0 s | after a |",
    ]
    assert empty == ""
    assert totals == summarize_ends(ends) == "1 ran, 1 failed, 1 unchanged"
    planned = PlannedStage("d", "unchanged", (), (), "cpu", 1.0)
    assert ends_to_markdown([planned], {"d": ends["d"]}) == "1 unchanged"
    assert summarize_ends({}) == "no stages"
