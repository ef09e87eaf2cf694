import importlib
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.scale import COMMANDS, FILES, WORDS, list_words, make_lines, run_alone
from benchmarks.scale_page import Figures, Measured, Scale
from pipeline.core.stage import STAGES, read_declaration

VOCABULARY = ["the", "film", "was", "good", "very", "a", "of"]
MIB = 2**20


def test_the_lines_are_the_same_each_time_and_some_are_near_duplicates():
    lines = list(make_lines(2000, VOCABULARY))
    assert lines == list(make_lines(2000, VOCABULARY))
    texts = [line.split("\t")[0] for line in lines]
    assert {len(text.split()) for text in texts} == {WORDS}
    assert 0 < sum(text == f"{before}s" for before, text in pairwise(texts)) < 60
    assert {line.split("\t")[1] for line in lines} == {"negative\n", "positive\n"}


def test_a_command_is_measured_without_its_parent():
    held = bytes(200 * MIB)
    found = run_alone([sys.executable, "-S", "-c", "x = bytes(range(256)) * 2**18"])
    assert len(held) > found.memory > 2**26
    assert found.wall > 0
    assert found.seconds > 0
    assert found.code == 0


def test_a_command_that_needs_more_memory_than_it_may_have_fails_by_itself():
    found = run_alone([sys.executable, "-S", "-c", "x = bytes(range(256)) * 2**20"], memory=100 * MIB)
    assert (found.code, found.bound) == (1, 100 * MIB)


@pytest.mark.parametrize("stage", [name for name in COMMANDS if name in STAGES])
def test_a_stage_is_run_as_the_pipeline_runs_it(tmp_path, stage):
    words = list_words(stage, tmp_path, tmp_path / "out")
    assert words[2:7] == ["pipeline", stage, "reviews", "--params", str(tmp_path / "params.json")]
    declaration = read_declaration(importlib.import_module(f"pipeline.stages.{stage}").run)
    assert [word.split("=")[0] for word in words[7:]] == [
        f"--{name}" for name in (*declaration.inputs, *declaration.outputs) if name not in declaration.optional
    ]


def test_each_file_that_a_command_reads_is_made_by_one_or_is_there_before():
    made = {name for command in COMMANDS.values() for name in command.makes}
    read = {name for command in COMMANDS.values() for name in command.reads}
    assert read - made == {"raw", "gate", "vocabulary", "encoder", "bundle"}
    assert made <= FILES.keys()


def test_a_page_keeps_the_figures_of_before_each_with_its_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "DOCS", tmp_path)
    old = "2026-01-01, 2 cores of another kind; Python 3.11.7."
    few = Measured("ingest", 1000, 0, Figures(2.0, 1.0, 100 * MIB))
    many = Measured("ingest", 2000, 0, Figures(4.0, 3.0, 100 * MIB + 8000))
    Scale(list(COMMANDS), [old, "of nothing any more"], [many, few]).publish("# About")
    page = Scale.read(list(COMMANDS))
    assert page.has("ingest", 2000)
    assert not page.has("validate", 1000)
    place = page.setup(("pytest",))
    assert page.setup(("pytest",)) == place == 1
    page.add(Measured("ingest", 4000, place, Figures(1.0, 1.0, 50 * MIB)))
    page.add(Measured("baseline", 1000, place, Figures(1.0, 1.0, 50 * MIB, 70, 60 * MIB)))
    page.publish("# About")
    lines = Path(tmp_path, "scale.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| ingest") or line.startswith("| baseline")] == [
        "| ingest | 1,000 | 1.0 | 2.0 | 100 |  |  | A |",
        "| ingest | 2,000 | 3.0 | 4.0 | 100 | 2,000.0 | 8 | A |",
        "| ingest | 4,000 | 1.0 | 1.0 | 50 |  |  | B |",
        "| baseline | 1,000 | 1.0 | 1.0 | failed at 50 of 60 |  |  | B |",
    ]
    assert [line[:5] for line in lines if line.startswith("- ")] == ["- A: ", "- B: "]
    assert not any("of nothing" in line for line in lines)
