import subprocess
import sys

import pytest

from pipeline.__main__ import main
from pipeline.core.command_line import Parser, run_stage
from pipeline.core.errors import EnvironmentFault, UsageError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "'nothing'.*tokenize"),
        (["params", "--settings", "params.yaml"], "--profiles"),
        (["params", "--wrong", "x"], "required"),
    ],
)
def test_wrong_words_are_a_usage_error(words, message):
    with pytest.raises(UsageError, match=message):
        run_stage(words[0], words[1:])


def test_an_absent_input_is_named(tmp_path):
    inputs = ["--settings", str(tmp_path / "absent"), "--profiles", "params.yaml", "--corrections", "data"]
    with pytest.raises(EnvironmentFault, match=r"--settings not found: .*/absent\. .*`dvc repro`"):
        run_stage("params", [*inputs, "--resolved", "x"])


def test_a_wrong_option_of_any_parser_is_a_usage_error():
    with pytest.raises(UsageError, match=r"--wrong(?s:.*)usage: a"):
        Parser(prog="a").parse_args(["--wrong"])


def test_help_and_exit_codes(capsys):
    assert main([]) == 0
    assert main(["--help"]) == 0
    assert "ingest" in capsys.readouterr().out
    assert main(["nothing"]) == 2
    assert capsys.readouterr().err.startswith("nothing: no stage 'nothing'")


def test_the_command_line_runs_a_stage(tmp_path):
    resolved = tmp_path / "params.json"
    inputs = ["--settings", "params.yaml", "--profiles", "data/profiles.json", "--corrections", "data/corrections"]
    words = ["params", *inputs, "--resolved", str(resolved)]
    done = subprocess.run([sys.executable, "-m", "pipeline", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert resolved.is_file()
