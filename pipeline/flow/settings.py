"""Where Prefect's things of this project are, and the settings under which all its processes run."""

import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from pipeline.core.files import read_json

HOME = Path(".prefect")
STATE, SECRET = HOME / "service.json", HOME / "auth"
# Nothing is reported to anybody, and a server that is started on the way may take its time.
ALWAYS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


def settings(url: str) -> dict[str, str]:
    """Return the environment of the server at `url`, its worker and its runs."""
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


def alive() -> list[int]:
    """Return the processes that `serve` has started and that still run; a number given anew does not count."""
    if not STATE.is_file():
        return []
    return [pid for pid, created in read_json(STATE)["processes"] if _created(pid) == created]


def of_a_run(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a run adds to its environment: the server is the one somebody named, else the one that is served."""
    if "PREFECT_API_URL" in environment or not alive():
        return {name: value for name, value in ALWAYS.items() if name not in environment}
    return settings(read_json(STATE)["url"])


def _created(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None
