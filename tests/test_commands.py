import json
import re
from pathlib import Path

import click
import pytest

from pipeline.__main__ import main
from pipeline.commands.line import COMMANDS
from pipeline.commands.look import PAGE, SUMMARY
from pipeline.commands.project import FINDINGS, PROFILES

PROFILE = {"rows": 3, "label_shares": {"a": 1.0}, "length_counts": [1, 2]}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/findings").mkdir(parents=True)
    (tmp_path / "data/profiles.json").write_text(json.dumps({"old": PROFILE}))
    (tmp_path / "data/findings/new.json").write_text(json.dumps({"profile": PROFILE}))
    return tmp_path


def test_accept_adds_the_profile_and_keeps_the_others(workspace, capsys):
    assert main(["accept", "new"]) == 0
    assert json.loads((workspace / "data/profiles.json").read_text()) == {"old": PROFILE, "new": PROFILE}
    assert "commit it" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "code", "message"), [([], 2, "TASK"), (["absent"], 4, "absent.json")])
def test_accept_says_what_it_lacks(workspace, capsys, words, code, message):
    assert main(["accept", *words]) == code
    assert message in capsys.readouterr().err
    assert json.loads((workspace / "data/profiles.json").read_text()) == {"old": PROFILE}


def test_the_profiles_that_git_keeps_are_not_to_be_reproduced(workspace, capsys):
    (workspace / "data/profiles.json").write_text("{")
    assert main(["accept", "new"]) == 4
    errors = capsys.readouterr().err
    assert "data/profiles.json: " in errors
    assert "git checkout" in errors
    assert "dvc repro" not in errors


def test_readme_rewrites_its_table_and_the_picture(workspace, monkeypatch):
    marks = "a\n<!-- results -->\nold\n<!-- /results -->\nb\n"
    (workspace / "README.md").write_text(marks)
    (workspace / "data/report.md").write_text("# R\n\n| a |\n| - |\n| 1 |\n\nmore\n")
    monkeypatch.setattr("pipeline.repository.graph.stage_needs", lambda: {"x": frozenset()})
    assert main(["readme"]) == 0
    assert (workspace / "README.md").read_text() == marks.replace("old", "| a |\n| - |\n| 1 |")
    assert ">x</text>" in (workspace / "docs/stages.svg").read_text()
    assert main(["readme", "please"]) == 2


def test_readme_says_what_it_lacks(workspace, monkeypatch, capsys):
    monkeypatch.setattr("pipeline.repository.graph.stage_needs", lambda: {"x": frozenset()})
    assert main(["readme"]) == 4
    assert "README.md: " in capsys.readouterr().err
    (workspace / "README.md").write_text("<!-- results -->\n<!-- /results -->\n")
    assert main(["readme"]) == 2
    assert "data/report.md" in capsys.readouterr().err


def test_results_prints_the_table_and_where_the_page_is(workspace, capsys):
    assert main(["results"]) == 2
    assert "dvc repro" in capsys.readouterr().err
    (workspace / "data/report.md").write_text("# R\n\n| a |\n| - |\n| &lt; 1 |\n")
    assert main(["results"]) == 0
    assert "Run `dvc repro`" in capsys.readouterr().out
    (workspace / "data/report.html").touch()
    assert main(["results"]) == 0
    assert capsys.readouterr().out == f"| a |\n| - |\n| < 1 |\n\nThe whole report: {workspace / 'data/report.html'}\n"


def test_every_word_the_makefile_says_is_a_stage_or_a_command():
    words = re.findall(r"python -m pipeline (\w+)", Path("Makefile").read_text())
    assert words
    assert set(words) <= {*COMMANDS.list_commands(click.Context(COMMANDS))}


def test_the_paths_are_those_of_dvc_yaml():
    text = Path("dvc.yaml").read_text()
    for path in (FINDINGS, PROFILES, SUMMARY, PAGE):
        assert str(path) in text


def test_overlay_lays_a_profile_over_the_project(workspace, capsys):
    root = Path(__file__).parent.parent
    text, small = (root / "params.yaml").read_text(encoding="utf-8"), str(root / "profiles/small")
    for name in ("params.yaml", "other.yaml"):
        (workspace / name).write_text(text, encoding="utf-8")
    assert main(["overlay", small, "--against", "other.yaml"]) == 0
    assert "params.yaml" in capsys.readouterr().out
    assert "max_length: 64" in (workspace / "params.yaml").read_text(encoding="utf-8")
    assert main(["overlay"]) == 2
    assert main(["overlay", small, "--against", "absent.yaml"]) == 4
    assert main(["overlay", "absent"]) == 4
    (workspace / "params.yaml").write_text(text, encoding="utf-8")
    for content, code in (("größe: 1\n".encode("latin-1"), 4), (b"finetune: {epochs: 0}\n", 2)):
        (workspace / "bad").mkdir(exist_ok=True)
        (workspace / "bad/params.yaml").write_bytes(content)
        capsys.readouterr()
        assert main(["overlay", "bad"]) == code
        assert "bad" in capsys.readouterr().err
        assert (workspace / "params.yaml").read_text(encoding="utf-8") == text


def test_comment_takes_one_file(workspace, capsys):
    assert main(["comment"]) == 2
    assert main(["comment", "absent.json"]) == 4
    (workspace / "no.json").write_text("{}")
    assert main(["comment", "no.json"]) == 3
    assert capsys.readouterr().out == ""
