import subprocess
import sys

import click
import pytest

from pipeline.core.command_line import Command, run_stage, run_words
from pipeline.core.errors import EnvironmentFault, UsageError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "'nothing'.*tokenize"),
        (["params", "--settings", "params.yaml"], "--profiles"),
        (["params", "--setings", "x"], "--setings.*--settings"),
        (["params", "x"], "--settings"),
    ],
)
def test_wrong_words_are_a_usage_error(words, message):
    with pytest.raises(UsageError, match=message):
        run_stage(words[0], words[1:])


def test_an_absent_input_is_named(tmp_path):
    inputs = ["--settings", str(tmp_path / "absent"), "--profiles", "params.yaml", "--corrections", "data"]
    with pytest.raises(EnvironmentFault, match=r"--settings not found: .*/absent\. .*`dvc repro`"):
        run_stage("params", [*inputs, "--resolved", "x"])


OPTIONS = [click.Option(["--number"], type=int), click.Option(["--name"], required=True)]


def echo(number: int | None, name: str) -> int | None:
    """Return a number.

    Raises:
        ValueError: It is 3.
    """
    print(name)
    if number == 3:
        raise ValueError
    return number


COMMAND = Command("echo", params=OPTIONS, callback=echo, help=echo.__doc__)


@pytest.mark.parametrize(("words", "code"), [([], 0), (["--number", "5"], 5)])
def test_the_exit_code_is_what_a_command_returns(capsys, words, code):
    assert run_words(COMMAND, "a", ["--name", "n", *words]) == code
    assert capsys.readouterr().out == "n\n"


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (["--nam", "x"], r"'--nam'.*'--name'.*`a --help`"),
        (["--number", "x", "--name", "n"], r"'--number'.*'x'"),
        ([], "'--name'"),
        (["--name"], "'--name'"),
        (["--name", "n", "more"], "more"),
    ],
)
def test_every_mistake_is_a_usage_error_in_one_line(words, facts):
    with pytest.raises(UsageError, match=facts) as caught:
        run_words(COMMAND, "a", words)
    assert str(caught.value) == str(caught.value).splitlines()[0]


def test_help_is_the_docstring_without_what_it_raises(capsys):
    assert run_words(COMMAND, "a", ["--help"]) == 0
    output = capsys.readouterr().out
    assert "Return a number." in output
    assert "--number INTEGER" in output
    assert "Raises" not in output


def test_an_error_of_the_command_itself_stays_what_it_is():
    with pytest.raises(ValueError, match=r"^$"):
        run_words(COMMAND, "a", ["--name", "n", "--number", "3"])


def test_a_question_that_is_interrupted_is_an_interrupt():
    def ask() -> None:
        raise click.Abort

    with pytest.raises(KeyboardInterrupt):
        run_words(Command("ask", callback=ask), "a", [])


def test_a_stage_has_help(capsys):
    run_stage("params", ["--help"])
    output = capsys.readouterr().out
    assert "--settings PATH" in output
    assert "Usage: python -m pipeline params" in output


def test_the_command_line_runs_a_stage(tmp_path):
    resolved = tmp_path / "params.json"
    inputs = ["--settings", "params.yaml", "--profiles", "data/profiles.json", "--corrections", "data/corrections"]
    words = ["params", *inputs, "--resolved", str(resolved)]
    done = subprocess.run([sys.executable, "-m", "pipeline", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert resolved.is_file()
