"""Signals at random moments of a stage's life; `make soak` strikes every stage, and hundreds of times."""

import signal
from pathlib import Path

import pytest

from benchmarks.signals import Strike, Target, hash_files, judge, list_targets, soak, strike, tabulate
from tests.given.clones import prepare


@pytest.fixture(scope="module")
def struck(shared, python, tmp_path_factory):
    """A clone to strike, and its targets."""
    clone = prepare(shared, python)[0].copy(tmp_path_factory.mktemp("signals") / "struck")
    return clone, list_targets(clone, ("params", "ingest", "finetune"))


def test_stages_that_are_struck_end_in_order_and_the_next_run_gives_the_same_bytes(struck):
    done = soak(*struck, strikes=6, seed=1)
    assert [strike for strike in done if strike.faults] == []
    assert [strike.stage for strike in done] == ["params", "ingest", "finetune"] * 2
    assert {strike.number for strike in done} == {signal.SIGTERM, signal.SIGKILL}
    assert {strike.working for strike in done} == {True, False}


def test_a_stage_that_is_struck_during_its_work_stops_in_order(struck):
    clone, (*_, finetune) = struck
    hit = strike(clone, finetune, signal.SIGTERM, finetune.work / 4, working=True)
    assert (hit.code, hit.faults) == (143, ())


@pytest.fixture
def target(tmp_path):
    whole, folder = tmp_path / "whole", tmp_path / "folder"
    whole.write_text("whole")
    folder.mkdir()
    for name in "ab":
        (folder / name).write_text(name)
    return Target("x", ("python",), (whole, folder), hash_files((whole, folder)), 1.0, 1.0, tmp_path / "kept")


FAULTS = {
    "an ordinary error": (1, "", lambda _: None, "exit code 1"),
    "a traceback": (143, "Traceback (most recent call last)", lambda _: None, "traceback"),
    "a swallowed one": (143, "Exception ignored in: x", lambda _: None, "traceback"),
    "other bytes": (143, "", lambda folder: (folder / "whole").write_text("other"), "other bytes"),
    "success without an output": (0, "", lambda folder: (folder / "whole").unlink(), "ended well with other bytes"),
    "a part of a folder": (-15, "", lambda folder: (folder / "folder/a").unlink(), "a part of"),
    "a partial output": (143, "", lambda folder: (folder / "whole.partial").touch(), "whole.partial"),
}


@pytest.mark.parametrize(("code", "output", "spoil", "words"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_found(target, tmp_path, code, output, spoil, words):
    spoil(tmp_path)
    assert any(words in fault for fault in judge(target, signal.SIGTERM, code, output))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_what_is_whole_or_absent_is_no_fault(target, tmp_path, number, code):
    assert list(judge(target, number, code, "stopped")) == []
    (tmp_path / "whole").unlink()
    assert list(judge(target, number, code, "stopped")) == []


def test_a_stage_that_was_at_work_may_not_simply_die(target, tmp_path):
    assert list(judge(target, signal.SIGTERM, -15, "", working=True)) == []
    (tmp_path / "whole").unlink()
    assert list(judge(target, signal.SIGTERM, 143, "", working=True)) == []
    (fault,) = judge(target, signal.SIGTERM, -15, "", working=True)
    assert "guard" in fault


def test_the_table_counts_ends_and_faults():
    strikes = [
        Strike("a", signal.SIGTERM, True, 0.1, 143, 1.25, ()),
        Strike("a", signal.SIGKILL, False, 0.2, -9, 9.0, ("wrong",)),
    ]
    assert tabulate(strikes).splitlines()[-1] == "| a | 2 | 1 | 0 | 0 | 1 | 0 | 1.2 s | 1 |"


def test_the_makefile_has_the_long_one():
    assert "python -m benchmarks.signals" in Path("Makefile").read_text()
