"""The warm `python` of tests/given/warm.py against the plain one."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.given.projects import ENVIRONMENT, until


def run(python: Path | str, *words: str, cwd: Path, **more: object) -> tuple[int, str, str]:
    done = subprocess.run([str(python), *words], cwd=cwd, capture_output=True, text=True, check=False, **more)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "pipeline", "--help"),
        ("-m", "pipeline", "no-such-stage"),
        ("-m", "pipeline", "accept", "no-such-task"),
        ("-c", "import os, sys; print(os.getcwd(), os.environ['GIVEN'], sys.stdin.read()); sys.exit(7)"),
    ],
)
def test_it_does_what_the_plain_one_does(python, words, tmp_path):
    environment = {**ENVIRONMENT, "GIVEN": "a word"}
    results = [
        run(program, *words, cwd=tmp_path, env=environment, input="words")
        for program in (sys.executable, python / "python")
    ]
    assert results[0] == results[1]


STAGE = """
import os, sys, time
print(os.getcwd(), os.environ["GIVEN"], sys.argv[1:], "torch" in sys.modules, sys.stdin.read(), flush=True)
if "sleep" in sys.argv:
    time.sleep(600)
sys.exit(300)
"""


@pytest.fixture
def other(tmp_path):
    """A folder whose package of that name is another one."""
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/__init__.py").write_text("")
    (tmp_path / "pipeline/__main__.py").write_text(STAGE)
    return tmp_path


def test_the_package_is_that_of_the_folder_and_the_libraries_are_there(python, other):
    environment = {**os.environ, "GIVEN": "a word"}
    code, output, error = run(python / "python", "-m", "pipeline", "x", cwd=other, env=environment, input="words")
    assert (code, output, error) == (300 % 256, f"{other} a word ['x'] True words\n", "")


def test_a_client_that_is_killed_takes_its_stage_with_it(python, other):
    with subprocess.Popen(
        [str(python / "python"), "-m", "pipeline", "sleep"], cwd=other, env={**os.environ, "GIVEN": str(other)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    ) as client:  # fmt: skip
        assert str(other) in client.stdout.readline()
        (stage,) = [
            one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(other) and one.pid != client.pid
        ]
        client.kill()
    until(lambda: not stage.is_running())
