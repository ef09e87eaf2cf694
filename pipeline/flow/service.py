"""The service of one machine: Prefect's server, work pool, deployments and worker, with their files in `.prefect/`."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import psutil
from prefect.context import refresh_global_settings_context

from pipeline.core.command import read_output
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import publish, write_json
from pipeline.flow.configuration import (
    POOL,
    SECONDS_WITHOUT_HEARTBEAT,
    crash_zombies,
    create_pool,
    describe_deployments,
    wait_for_worker,
)
from pipeline.flow.server import wait_for_server
from pipeline.flow.settings import HOME, SECRET, STATE, list_live_processes, make_server_environment, read_state

PARTS = ("server", "worker")  # in the order in which they start, and in which `STATE` names their processes
DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
SECONDS_TO_STOP = 15.0


def start_service(port: int) -> Iterator[str]:
    """Start server, deployments and worker, on loopback and behind a password; yield a line as each step is done.

    Raises:
        UsageError: The service runs already, or the port cannot be used.
        EnvironmentFault: A part did not start; the others have been stopped.
    """
    if list_live_processes():
        raise UsageError(f"the service already runs at {read_state()['url']}. Run `make down` to stop it.")
    _require_free(port)
    _create_secret()
    url = f"http://127.0.0.1:{port}"
    os.environ.update(make_server_environment(url))
    refresh_global_settings_context()
    processes: list[subprocess.Popen[bytes]] = []
    try:
        yield from _start_parts(url, processes)
        started = [[process.pid, psutil.Process(process.pid).create_time()] for process in processes]
        write_json(STATE, {"url": url, "processes": started})
    except BaseException:  # a Ctrl-C too: no part of a service stays behind
        _stop([process.pid for process in processes])
        raise
    yield f"Open {url} and log in with this line, which {SECRET} keeps:"
    yield SECRET.read_text(encoding="utf-8")
    yield "Stop it with `make down`."


def stop_service() -> Iterator[str]:
    """Stop what `start_service` has started, with all processes below it; yield a line for each part."""
    running = list_live_processes()
    recorded = read_state() if STATE.is_file() else {"processes": []}
    _stop(running)
    for part, (pid, _) in zip(PARTS, recorded["processes"], strict=False):
        yield f"{part}: process {pid} {'stopped' if pid in running else 'had ended already'}"
    STATE.unlink(missing_ok=True)
    yield f"the history of runs and the password stay in {HOME}" if running else "nothing was running"


def _start_parts(url: str, processes: list[subprocess.Popen[bytes]]) -> Iterator[str]:
    """Start the parts and add their processes to `processes`."""
    database = f"the one of {DATABASE}" if DATABASE in os.environ else f"{HOME / 'prefect.db'}, created if missing"
    yield f"server: starting; log {HOME / 'server.log'}, database {database}"
    processes.append(_start("server", ["server", "start", "--host", "127.0.0.1", "--port", url.rpartition(":")[2]]))
    _require("server", wait_for_server(url, processes[0]))
    yield f"server: answers at {url}"
    create_pool()
    yield f"work pool: {POOL}, one run at a time"
    read_output([sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"])
    yield "deployments: as prefect.yaml has them"
    crash_zombies()
    yield f"automation: a run without a heartbeat for {SECONDS_WITHOUT_HEARTBEAT} s is marked as crashed"
    processes.append(_start("worker", ["worker", "start", "--pool", POOL]))
    _require("worker", wait_for_worker(processes[1]))
    yield f"worker: waits for runs; log {HOME / 'worker.log'}"
    yield from (f"deployment: {line}" for line in describe_deployments())


def _create_secret() -> None:
    HOME.mkdir(exist_ok=True)
    HOME.chmod(0o700)  # whatever the umask: it holds the password, a database and a clone
    if not SECRET.is_file():
        with publish(SECRET) as partial:
            partial.touch(mode=0o600)
            partial.write_text(f"admin:{secrets.token_urlsafe(24)}", encoding="utf-8")


def _require_free(port: int) -> None:
    """Require that no other program listens: its server would answer in place of ours, and be configured."""
    try:
        with socket.socket() as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: it may just have ended
            bound.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise UsageError(f"port {port}: not free, {error}. Choose another --port.") from error


def _start(name: str, words: Sequence[str]) -> subprocess.Popen[bytes]:
    with (HOME / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "prefect", *words], start_new_session=True, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip


def _require(part: str, started: bool) -> None:
    if not started:
        raise EnvironmentFault(
            f"Prefect's {part} did not start. Read {HOME / part}.log, then run again, perhaps with another --port."
        )


def _stop(pids: Sequence[int]) -> None:
    """Stop processes and their groups: by SIGTERM, and by SIGKILL if they still run some seconds later."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)
        end = time.monotonic() + SECONDS_TO_STOP
        while any(map(_runs, pids)) and time.monotonic() < end:
            time.sleep(0.1)


def _runs(pid: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return bool(psutil.pid_exists(pid))
