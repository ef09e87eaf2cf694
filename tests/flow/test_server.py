"""The temporary server of a run, and a server that is gone: real servers, and what is left of them."""

import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress

import httpx
import psutil
import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.flow.server import wait_for_server
from tests.given.projects import COVERAGE, ENVIRONMENT, PIPELINE, Project, gone, prefect_server, tree, until

RUN = (*PIPELINE, "run", "--workers", "2")
SECONDS_TO_END = 15.0  # the server's own ten, on a slow machine
SECONDS_TO_GIVE_UP = 180.0  # of fifteen without a server; the rest is a slow machine, and the stage would sleep on
STAGES = """
stages:
  first: {cmd: cp in.txt first, deps: [in.txt], outs: [first]}
  long: {cmd: touch begun; test -e go || sleep 600; cp first long, deps: [first], outs: [long]}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def server_of(run: subprocess.Popen) -> psutil.Process:
    processes = [(process, " ".join(process.cmdline())) for process in tree(run.pid)]
    (server,) = [process for process, words in processes if "create_app" in words and "leash.py" not in words]
    return server


def address_of(server: psutil.Process) -> str:
    words = server.cmdline()
    return f"http://127.0.0.1:{words[words.index('--port') + 1]}"


def start(project: Project, home, **more) -> subprocess.Popen:
    environment = {**ENVIRONMENT, **COVERAGE, "PREFECT_HOME": str(home), **more.pop("env", {})}
    return project.start(*RUN, env=environment, stdin=subprocess.DEVNULL, **more)


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)],
    ids=["SIGKILL", "SIGTERM", "SIGINT"],
)
def test_the_server_of_a_run_has_a_password_and_ends_with_it_whatever_ends_that(tmp_path, home, number):
    project = Project(tmp_path, {"dvc.yaml": STAGES, "in.txt": "one"})
    run = start(project, home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "begun").exists)
        family, server = [process.pid for process in tree(run.pid)], server_of(run)
        assert httpx.post(f"{address_of(server)}/api/flow_runs/filter", json={}).status_code == 401
        run.send_signal(number)
        until(lambda: all(map(gone, family[1:])), seconds=SECONDS_TO_END)
        run.wait(SECONDS_TO_END)
    finally:
        for process in tree(run.pid):
            process.kill()


def test_a_run_whose_server_dies_ends_soon_and_says_what_ran(tmp_path, home):
    project = Project(tmp_path, {"dvc.yaml": STAGES, "in.txt": "one"})
    run = start(project, home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until((tmp_path / "begun").exists)
        family = [process.pid for process in tree(run.pid)]
        server_of(run).kill()
        killed = time.monotonic()
        output, _ = run.communicate(timeout=SECONDS_TO_GIVE_UP)
        assert run.returncode == EnvironmentFault.exit_code
        assert time.monotonic() - killed < SECONDS_TO_GIVE_UP
        assert re.search(r"^  first ran", output, flags=re.MULTILINE)
        assert re.search(r"^  long cancelled", output, flags=re.MULTILINE)
        until(lambda: all(map(gone, family[1:])), seconds=SECONDS_TO_END)
    finally:
        for process in tree(run.pid):
            process.kill()
    project.write("go", "")
    assert "1 ran" in project.run(*RUN, env={**ENVIRONMENT, "PREFECT_HOME": str(home)})
    assert project.read("long") == "one"


def test_what_speaks_another_protocol_is_no_server():
    with socket.create_server(("127.0.0.1", 0)) as other, subprocess.Popen(["sleep", "3"]) as process:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = other.accept()
                    connection.sendall(b"SSH-2.0-x\r\n")
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        assert not wait_for_server(f"http://127.0.0.1:{other.getsockname()[1]}", process)
        other.shutdown(socket.SHUT_RDWR)  # ends the thread


def test_a_server_that_is_named_is_used_and_watched(tmp_path, tmp_path_factory):
    project = Project(tmp_path, {"dvc.yaml": STAGES, "in.txt": "one"})
    with prefect_server(tmp_path_factory.mktemp("named")) as environment:
        run = start(
            project, environment["PREFECT_HOME"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        until((tmp_path / "begun").exists)
        assert not [process for process in tree(run.pid) if "uvicorn" in process.cmdline()]
    output, _ = run.communicate(timeout=SECONDS_TO_GIVE_UP)
    assert (run.returncode, "first ran" in output) == (EnvironmentFault.exit_code, True)
