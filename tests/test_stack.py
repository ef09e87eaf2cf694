"""The locked versions, which work together although a fresh resolve is known to break."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline.core.versions import locked_versions
from tests.given.projects import ENVIRONMENT

LOCK = Path("requirements.lock").read_text(encoding="utf-8")
FLOW = """
import prefect.server.api.server
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

@task(cache_policy=NO_CACHE)
def double(number: int) -> int:
    return 2 * number

@flow
def total(numbers: list[int]) -> int:
    return sum(future.result() for future in double.map(numbers))

assert prefect.server.api.server.create_app() is not None
print("total", total([1, 2, 3]))
"""


def test_prefects_server_starts_and_runs_a_flow(tmp_path):
    environment = {
        **{name: value for name, value in ENVIRONMENT.items() if not name.startswith("PREFECT_")},
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }
    (tmp_path / "flow.py").write_text(FLOW)
    done = subprocess.run(
        [sys.executable, "flow.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "total 12" in done.stdout


def test_the_lock_pins_every_line_and_names_no_machine():
    lines = [line for line in LOCK.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;+]+( ; .+)?", line) for line in lines), lines
    assert not re.search(r"https?://|file:/|^\s*--", LOCK, flags=re.MULTILINE)


def test_what_must_be_pinned_is():
    locked = locked_versions(LOCK)
    assert locked["torch"] == "2.13.0"
    assert locked["prefect"] == "3.8.8"
    assert (0, 139) <= tuple(map(int, locked["fastapi"].split(".")[:2])) < (0, 151)


@pytest.mark.parametrize("package", ["torch", "transformers", "dvc", "prefect", "great-expectations", "scikit-learn"])
def test_what_is_installed_is_what_is_locked(package):
    assert version(package).partition("+")[0] == locked_versions(LOCK)[package]
