"""Projects made by `init`: whole, or not there at all."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.core.errors import DataError, EnvironmentFault, UsageError
from pipeline.project.init import describe_project, init_project
from pipeline.project.update import update_project
from pipeline.project.vendor import find_version
from pipeline.settings.overlay import overlay_project
from pipeline.settings.parse import parse_params
from tests.given.owned import IDENTITY, commit_all, edit, git, make_clone
from tests.given.settings import resolve_params

TEAMS = {
    "billing": "the invoice is wrong by",
    "delivery": "the parcel is late by",
    "product": "the handle broke after",
}


@pytest.fixture(scope="module", autouse=True)
def identity():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IDENTITY.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return make_clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def tickets(tmp_path):
    path = tmp_path / "Tickets 2026.csv"
    with path.open("w", newline="", encoding="cp1252") as stream:
        rows = csv.writer(stream, delimiter=";")
        rows.writerow(["No", "Body of the mail", "Team"])
        rows.writerows(
            [n, f"{text} {n} days; caf\u00e9 {n * 7}", team] for n in range(40) for team, text in TEAMS.items()
        )
    return path


def test_a_project_plans_and_keeps_its_edits_in_an_update(clone, tickets, tmp_path):
    root = tmp_path / "my project"
    task = init_project(root, tickets, clone=clone)
    assert str(root) in describe_project(root, task)
    assert (task.name, task.counts["kept"]) == ("tickets-2026", 120)
    held = set(git(root, "ls-files").splitlines())
    listed = git(clone, "ls-files", "pipeline").splitlines()
    assert {
        *listed,
        "data/raw/tickets-2026/Tickets 2026.csv.dvc",
        ".dvc/config",
        "README.md",
        "pipeline/LICENSE",
    } <= held
    assert not {name for name in held if name.startswith(("tests/", "docs/", "benchmarks/"))} | ({"dvc.lock"} & held)
    assert git(root, "status", "--porcelain") == ""
    assert (root / "data/raw/tickets-2026/Tickets 2026.csv").read_bytes() == tickets.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Tickets 2026.csv", "my project"]
    values, _ = parse_params((root / "params.yaml").read_text(encoding="utf-8"))
    assert values["report"]["title"] == "my project"
    assert values["tasks"]["tickets-2026"]["ingest"] == {
        "file": "tickets-2026/Tickets 2026.csv", "delimiter": ";", "encoding": "cp1252", "text": "Body of the mail",
        "label": "Team", "labels": sorted(TEAMS),
    }  # fmt: skip
    assert find_version(root) == git(root, "rev-parse", "HEAD^")
    laid = shutil.copytree(root, tmp_path / "laid")
    for profile in ("pretraining", "study"):
        overlay_project(laid, root / "profiles" / profile, lambda text: resolve_params(text, {}))
    resolved = resolve_params((laid / "params.yaml").read_text(encoding="utf-8"), {})
    assert list(resolved["pretrain"]) == ["scratch", "adapted"]
    assert {cell.partition("-")[0] for cell in resolved["rival"]} == {"tickets"}
    shutil.rmtree(laid)
    edit(root, "params.yaml", "  epochs: 2 ", "  epochs: 5 ")
    edit(root, "pipeline/stages/ingest.py", "rows read", "rows in")
    commit_all(root)
    newer = shutil.copytree(clone, tmp_path / "newer")
    edit(newer, "params.yaml", "tokens of an example at most", "most tokens of an example")
    edit(newer, "pipeline/stages/tokenize.py", '"""tokenize', '"""tokenise')
    commit_all(newer)
    code, text = update_project(str(newer), root=root)
    assert code == 0, text
    plan = subprocess.run(
        [sys.executable, "-m", "pipeline", "plan"],
        cwd=root, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert plan.returncode == 1, plan.stderr
    assert {"evaluate@tickets-2026", "fetch@minilm", "report"} <= set(re.findall(r"^\S+", plan.stdout, re.MULTILINE))


def test_a_colleague_gets_the_data_from_the_remote(clone, tickets, tmp_path):
    root, colleague = tmp_path / "mine", tmp_path / "theirs"
    init_project(root, tickets, clone=clone)
    run_dvc(root, "remote", "add", "--default", "--local", "shared", str(tmp_path / "remote"))
    run_dvc(root, "push")
    git(tmp_path, "clone", "--quiet", str(root), str(colleague))
    run_dvc(colleague, "remote", "add", "--default", "--local", "shared", str(tmp_path / "remote"))
    run_dvc(colleague, "pull", "--allow-missing")
    file = Path("data/raw/tickets-2026/Tickets 2026.csv")
    assert (colleague / file).read_bytes() == tickets.read_bytes()
    (colleague / file).unlink()
    run_dvc(colleague, "checkout", "--allow-missing")
    assert (colleague / file).read_bytes() == tickets.read_bytes()
    assert git(root, "status", "--porcelain") == ""


def run_dvc(root: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words, "--quiet"], cwd=root, check=True)


def test_no_data_no_task(clone, tmp_path):
    (tmp_path / "own").mkdir()
    assert init_project(tmp_path / "own", clone=clone) is None
    assert parse_params((tmp_path / "own/params.yaml").read_text(encoding="utf-8"))[0]["tasks"] is None
    assert "params.yaml" in describe_project(tmp_path / "own", None)


def test_what_intake_drops_and_what_is_not_committed_is_told(clone, tmp_path):
    texts = [(f"text number {n}", "ab"[n % 2]) for n in range(200)]
    rows = [*texts, *texts[:7], ("text number 20", "b"), ("", "a")]
    path = tmp_path / "mail.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    task = init_project(tmp_path / "own", path, name="tickets", clone=clone)
    assert (task.name, task.counts["file"]) == ("tickets", "tickets/mail.csv")
    assert {name: rows for name, rows in task.counts["dropped"].items() if rows} == {
        "empty": 1, "duplicates": 7, "conflicts": 2,
    }  # fmt: skip
    told = describe_project(tmp_path / "own", task, ["params.yaml"])
    assert "repeats of a text 7" in told
    assert "texts with several labels 2" in told
    assert "'params.yaml'" in told
    for name in ("Tickets", "minilm"):
        with pytest.raises(UsageError, match="--name"):
            init_project(tmp_path / "other", path, name=name, clone=clone)


def test_what_is_there_stays(clone, tickets, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/notes.txt").write_text("mine")
    for folder in (tmp_path / "own", tickets):
        with pytest.raises(UsageError, match="is there already"):
            init_project(folder, tickets, clone=clone)
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["notes.txt"]
    with pytest.raises(UsageError, match=r"absent\.csv: is not there"):
        init_project(tmp_path / "new", Path("absent.csv"), clone=clone)


def test_nothing_half_made_is_left(clone, tickets, tmp_path, monkeypatch):
    tickets.write_text("text;label\n" + "".join(f"one text {n};a\none other {n};b\n" for n in range(20)) + "x;y;z\n")
    with pytest.raises(DataError, match=r"Tickets 2026\.csv:42"):
        init_project(tmp_path / "new", tickets, clone=clone)
    tickets.write_text("text,label\n" + "".join(f"text {n} of a,a\ntext {n} of b,b\n" for n in range(50)))
    monkeypatch.setenv("PATH", str(git_of_nobody(tmp_path / "bin")))
    with pytest.raises(EnvironmentFault, match="git commit-tree"):
        init_project(tmp_path / "new", tickets, clone=clone)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Tickets 2026.csv", "bin"]


def git_of_nobody(folder: Path) -> Path:
    """Return a folder with a git that refuses to commit, as it does if it does not know who you are."""
    folder.mkdir()
    program = folder / "git"
    program.write_text(f'#!/bin/sh\n[ "$1" = commit-tree ] && exit 128\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    return folder


def test_the_commands_end_with_the_code_of_their_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert main(["init", "..", "--file", "absent.csv"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["pin", "acme/x"]) == 4
    assert "params.yaml" in capsys.readouterr().err
    assert main(["update", "absent"]) == 4
    assert "git status" in capsys.readouterr().err
    for command in ("init", "pin", "update"):
        assert main([command]) == 2
