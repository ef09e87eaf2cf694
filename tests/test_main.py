"""`python -m pipeline` as a process: its exit codes, its streams, and what it says if nothing works."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.commands.look import plan_command
from tests.given.projects import ENVIRONMENT

COMMAND = (sys.executable, "-m", "pipeline")
TABLE = "# R\n\n| gain |\n| - |\n| −1.0 ✅ |\n"


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/report.md").write_text(TABLE, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (ZeroDivisionError("x"), 70, 5),
        (KeyboardInterrupt(), 130, 0),
        (ModuleNotFoundError("No module named 'pipeline.x'", name="pipeline.x"), 70, 5),
    ],
)
def test_a_fault_of_the_pipeline_is_no_answer(monkeypatch, capsys, error, code, lines):
    def fail(**_values):
        raise error

    monkeypatch.setattr(plan_command, "callback", fail)
    assert main(["plan"]) == code
    output, errors = capsys.readouterr()
    assert output == ""
    assert min(len(errors.splitlines()), lines) == lines
    assert not lines or errors.splitlines()[-1].startswith("plan: ")


def test_python_without_the_packages_says_how_to_get_them(tmp_path):
    words = [sys.executable, "-S", "-m", "pipeline", "plan"]  # no site-packages
    done = subprocess.run(words, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    (line,) = done.stderr.splitlines()
    assert {"missing,", "`make", "setup`,", ".venv/bin/activate`."} <= set(line.split())


def test_a_pipe_that_nobody_reads_ends_the_command_quietly(workspace):
    with subprocess.Popen(
        [*COMMAND, "results"], env=ENVIRONMENT, cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.is_char_device(), reason="only Linux has a device that is full")
@pytest.mark.parametrize("rows", [1, 10_000], ids=["at the end", "at once"])
def test_a_full_disk_behind_standard_output_is_an_environment_fault(workspace, rows):
    (workspace / "data/report.md").write_text(TABLE + "| 1 |\n" * rows, encoding="utf-8")
    with FULL.open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "results"], env=ENVIRONMENT, cwd=workspace, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 4
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("results: ")
    assert "No space left" in line


@pytest.mark.skipif(not FULL.is_char_device(), reason="only Linux has a device that is full")
def test_a_full_disk_behind_standard_error_says_no_gate_failed(workspace):
    with FULL.open("wb") as full:
        done = subprocess.run([*COMMAND, "nothing"], env=ENVIRONMENT, cwd=workspace, stderr=full, check=False)
    assert done.returncode in (4, 120)  # 120 is Python's own, if something else writes at its end


ENCODINGS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
]


@pytest.mark.parametrize("more", ENCODINGS, ids=["ascii", "latin-1", "posix"])
def test_a_pipe_holds_utf_8_whatever_the_locale(workspace, more):
    environment = {**ENVIRONMENT, **more}
    done = subprocess.run([*COMMAND, "results"], env=environment, cwd=workspace, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "| −1.0 ✅ |" in done.stdout.decode("utf-8")


def test_a_terminal_without_utf_8_shows_the_rest(workspace):
    ours, theirs = pty.openpty()
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    with subprocess.Popen(
        [*COMMAND, "results"], env=environment, cwd=workspace, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # its end on Linux
            pass
        os.close(ours)
    assert process.returncode == 0
    assert rb"| \u22121.0 \u2705 |" in shown
