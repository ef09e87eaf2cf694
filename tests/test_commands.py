import json
import re
from pathlib import Path

import pytest

from pipeline import commands
from pipeline.__main__ import main
from pipeline.core.stage import STAGES

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


@pytest.mark.parametrize(("words", "code", "message"), [([], 2, "accept TASK"), (["absent"], 4, "absent.json")])
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
    assert capsys.readouterr().out == f"| a |\n| - |\n| < 1 |\n\nThe whole report: {workspace / 'data/report.html'}\n"


def test_every_word_the_makefile_says_is_a_stage_or_a_command():
    words = re.findall(r"python -m pipeline (\w+)", Path("Makefile").read_text())
    assert words
    assert set(words) <= {*STAGES, *commands.COMMANDS}


def test_the_paths_are_those_of_dvc_yaml():
    text = (commands.README.parent / "dvc.yaml").read_text()
    for path in (commands.FINDINGS, commands.PROFILES, commands.SUMMARY, commands.PAGE):
        assert str(path) in text


def test_overlay_writes_the_small_params(workspace, capsys):
    root = Path(__file__).parent.parent
    text = (root / "params.yaml").read_text(encoding="utf-8")
    (workspace / "params.yaml").write_text(text, encoding="utf-8")
    (workspace / "other.yaml").write_text(text, encoding="utf-8")
    small = str(root / ".github/small.yaml")
    assert main(["overlay", small, "other.yaml"]) == 0
    assert "not those of the full run" in capsys.readouterr().out
    assert "max_length: 64" in (workspace / "params.yaml").read_text(encoding="utf-8")
    assert main(["overlay", small]) == 2
    assert main(["overlay", small, "absent.yaml"]) == 4
    (workspace / "latin.yaml").write_bytes("größe: 1\n".encode("latin-1"))
    assert main(["overlay", "latin.yaml", "other.yaml"]) == 4
    assert "latin.yaml: " in capsys.readouterr().err
    (workspace / "bad.yaml").write_text("finetune: {epochs: 0}\n")
    (workspace / "params.yaml").write_text(text, encoding="utf-8")
    assert main(["overlay", "bad.yaml", "other.yaml"]) == 2
    assert (workspace / "params.yaml").read_text(encoding="utf-8") == text


def test_comment_takes_one_file(workspace, capsys):
    assert main(["comment"]) == 2
    assert main(["comment", "absent.json"]) == 4
    (workspace / "no.json").write_text("{}")
    assert main(["comment", "no.json"]) == 3
    assert capsys.readouterr().out == ""
