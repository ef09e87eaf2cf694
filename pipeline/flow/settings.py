"""Prefect's files of this project, and the settings of all its Prefect processes."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from pipeline.core.files import read_json

HOME = Path(".prefect")
SECONDS_OF_CLOCK = 5.0  # by which a start may move if the clock is set
STATE, SECRET = HOME / "service.json", HOME / "auth"
# No telemetry, and for each request half a minute of patience with the server instead of a whole one.
ALWAYS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLIENT_MAX_RETRIES": "4",
}


def make_server_environment(url: str) -> dict[str, str]:
    """Return the environment variables of the server at `url`, its worker and its runs."""
    auth = SECRET.read_text(encoding="utf-8")
    return {
        **ALWAYS,
        "PREFECT_HOME": str(HOME.resolve()),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_API_AUTH_STRING": auth,
        "PREFECT_SERVER_API_AUTH_STRING": auth,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH")))),
        "TRANSFERLINE_SOURCE": str(Path.cwd()),
        "TRANSFERLINE_WORKSPACE": str((HOME / "workspace").resolve()),
    }


def make_run_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a run adds to `environment`: it uses the server named there, else the served one."""
    if "PREFECT_API_URL" in environment or not list_live_processes():
        return {name: value for name, value in ALWAYS.items() if name not in environment}
    return make_server_environment(read_state()["url"])


def list_live_processes() -> list[int]:
    """Return the ids of the processes that `up` has started and that still run; a reused id does not count."""
    if not STATE.is_file():
        return []
    return [pid for pid, created in read_state()["processes"] if abs(_created(pid) - created) < SECONDS_OF_CLOCK]


def read_state() -> dict[str, Any]:
    """Return what `up` has recorded: the server's `url`, and `processes` as pairs of id and start (seconds).

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    return dict(read_json(STATE, fix=f"Remove {STATE}, then run `make up`."))


def _created(pid: int) -> float:
    """Return when a process started, in seconds since 1970; infinity if there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return math.inf
