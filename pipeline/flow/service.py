"""The service of one machine: Prefect's server, work pool, deployments and worker, with their files in `.prefect/`."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import cast

import psutil
from prefect.automations import Automation, EventTrigger, Posture
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState

from pipeline.core.command import read_output
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import publish, write_json
from pipeline.flow.server import wait_for_server
from pipeline.flow.settings import HOME, SECRET, STATE, list_live_processes, make_server_environment, read_state

POOL = "transferline"
SECONDS_TO_STOP = 15.0
SECONDS_WITHOUT_HEARTBEAT = 120


def start_service(port: int) -> str:
    """Start server, deployments and worker, on loopback and behind a password; return the server's address.

    Raises:
        UsageError: The service runs already, or the port cannot be used.
        EnvironmentFault: A part did not start; the others have been stopped.
    """
    if list_live_processes():
        raise UsageError(f"the service already runs at {read_state()['url']}. Run `make down` to stop it.")
    _require_free(port)
    _create_secret()
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, **make_server_environment(url)}
    processes = [_start("server", ["server", "start", "--host", "127.0.0.1", "--port", str(port)], environment)]
    try:
        _require_server(url, processes[0])
        _prefect(["work-pool", "create", POOL, "--type", "process", "--overwrite"], environment)
        _prefect(["work-pool", "set-concurrency-limit", POOL, "1"], environment)
        _prefect(["--no-prompt", "deploy", "--all"], environment)
        read_output([sys.executable, "-m", "pipeline.flow.service"], env=environment)
        processes.append(_start("worker", ["worker", "start", "--pool", POOL], environment))
    except BaseException:  # a Ctrl-C too: no part of a service stays behind
        _stop([process.pid for process in processes])
        raise
    started = [[process.pid, psutil.Process(process.pid).create_time()] for process in processes]
    write_json(STATE, {"url": url, "processes": started})
    return url


def stop_service() -> bool:
    """Stop what `start_service` has started, with all processes below it; return whether anything was running."""
    running = list_live_processes()
    _stop(running)
    STATE.unlink(missing_ok=True)
    return bool(running)


def crash_zombies(seconds: float = SECONDS_WITHOUT_HEARTBEAT) -> None:
    """Have the server mark a run as crashed if it sends no heartbeat for so long: a killed run cannot report itself.

    Source: https://docs.prefect.io/v3/advanced/detect-zombie-flows
    """
    name = "Crash zombie flows"
    with suppress(ValueError):
        cast(Automation, Automation.read(name=name)).delete()
    ends = ("heartbeat", "Completed", "Failed", "Cancelled", "Crashed")
    Automation(
        name=name,
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={f"prefect.flow-run.{end}" for end in ends},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat: its process was killed")],
    ).create()


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


def _start(name: str, words: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (HOME / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "prefect", *words], env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip


def _require_server(url: str, server: subprocess.Popen[bytes]) -> None:
    if wait_for_server(url, server):
        return
    raise EnvironmentFault(
        f"Prefect's server did not start at {url}. Read {HOME / 'server.log'}, then run again, perhaps with another "
        "--port."
    )


def _prefect(words: Sequence[str], environment: Mapping[str, str]) -> None:
    read_output([sys.executable, "-m", "prefect", *words], env=environment)


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


if __name__ == "__main__":
    crash_zombies()
