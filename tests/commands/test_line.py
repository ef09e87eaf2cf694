"""The line as a whole: its list, what it says of a word that is none, and what a shell completes."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from pipeline.__main__ import main
from pipeline.commands.line import COMMANDS, COMPLETE, SCRIPT
from pipeline.core.stage import STAGES
from tests.given.projects import ENVIRONMENT

WORDS = [name for group in COMMANDS.sources for name in group.commands]
HEAVY = ("torch", "transformers", "dvc", "prefect", "pandas", "numpy", "sklearn", "great_expectations")


def test_the_list_has_each_command_once_in_one_line_and_all_stages(capsys):
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == listed
    for name in WORDS:
        assert len(re.findall(rf"^  {name} +[A-Z].*[^.]\.?$", listed, flags=re.MULTILINE)) == 1, name
    assert "..." not in listed.partition("COMMAND [ARGS]...")[2]
    assert [line for line in listed.splitlines() if len(line) > 80] == []
    words = set(re.findall(r"\w+", listed.partition("Stages")[2]))
    assert {*STAGES} <= words


def test_groups_have_names_and_no_command_is_named_as_a_stage_or_twice():
    assert [group.name for group in COMMANDS.sources] == [
        "Run",
        "In production",
        "Look",
        "Search",
        "Own project",
        "For CI",
    ]
    assert len(WORDS) == len({*WORDS, *STAGES}) - len(STAGES)


@pytest.mark.parametrize("name", WORDS)
def test_each_command_has_help(capsys, name):
    assert main([name, "--help"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"Usage: python -m pipeline {name}")
    assert "Raises" not in output


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["plann"], "'plan'"), (["finetun"], "'finetune'"), (["plan", "--jsno"], "'--json'"),
        (["--versio"], "'--version'"), (["nothing-like-it"], "`python -m pipeline --help`"),
    ],
)  # fmt: skip
def test_a_word_that_is_none_gets_the_nearest(capsys, words, near):
    assert main(words) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    (line,) = errors.splitlines()
    assert line.startswith(f"{words[0]}: ")
    assert near in line


def test_a_word_cannot_move_the_cursor(capsys):
    assert main(["\x1b[2Jx"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_the_version_is_that_of_the_project(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]


def test_the_list_imports_nothing_that_is_heavy():
    code = "import sys; from pipeline.__main__ import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert {*done.stderr.split()} & {*HEAVY} == set()


LOCK = "schema: '2.0'\nstages:\n  finetune@a:\n    cmd: x\n  fetch@b:\n    cmd: x\n"


def complete(*words: str, cwd: Path) -> set[str]:
    """Return what bash would be offered for the last word."""
    environment = {
        **ENVIRONMENT, COMPLETE: "bash_complete", "COMP_WORDS": " ".join((SCRIPT, *words)),
        "COMP_CWORD": str(len(words)),
    }  # fmt: skip
    command = [sys.executable, "-m", "pipeline"]
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return {word for line in done.stdout.splitlines() if (word := line.partition(",")[2])}


def test_a_shell_completes_commands_stages_options_and_targets(tmp_path):
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert complete("f", cwd=tmp_path) == {stage for stage in STAGES if stage.startswith("f")}
    assert complete("re", cwd=tmp_path) == {"results", "readme", "relabel", "report"}
    assert complete("plan", "--", cwd=tmp_path) >= {"--json", "--md"}
    assert complete("run", "f", cwd=tmp_path) == {"finetune@a", "fetch@b"}
    assert complete("run", "", cwd=tmp_path.parent) == set()
    assert complete("nothing-like-it", "", cwd=tmp_path) <= {*WORDS, *STAGES}


def test_the_script_of_the_shell_is_bash(tmp_path):
    environment = {**ENVIRONMENT, COMPLETE: "bash_source"}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline"], env=environment, capture_output=True, text=True, check=True
    )
    script = tmp_path / "complete.bash"
    script.write_text(done.stdout)
    line = f'. "{script}"; complete -p {SCRIPT}'
    shown = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, env={**os.environ}).stdout
    assert SCRIPT in shown


def test_the_context_of_no_command_is_none_while_a_line_is_completed():
    assert COMMANDS.get_command(click.Context(COMMANDS, resilient_parsing=True), "no-such") is None
