"""Prefect's files of this project, and the settings of all its Prefect processes."""

import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from pipeline.core.files import read_json

HOME = Path(".prefect")
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
    return make_server_environment(read_json(STATE)["url"])


def list_live_processes() -> list[int]:
    """Return the ids of the processes that `serve` has started and that still run; a reused id does not count."""
    if not STATE.is_file():
        return []
    return [pid for pid, created in read_json(STATE)["processes"] if _created(pid) == created]


def _created(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None
