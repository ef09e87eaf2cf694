"""Small DVC projects in a temporary folder, with real processes and Prefect servers to run in them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from dvc.repo import Repo

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0  # seconds before a test gives up on a slow machine
# Coverage would follow every process from here on, and slow each of them down; so its variables stand apart.
COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS_")}
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in COVERAGE},
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
    "DVC_NO_ANALYTICS": "1",
}
# `python -m pipeline`, which coverage follows if COVERAGE is in its environment; what it starts is not followed.
PIPELINE = (
    "python",
    "-c",
    "import os, runpy; "
    "[os.environ.pop(name) for name in list(os.environ) if name.startswith('COVERAGE_PROCESS_')]; "
    "runpy.run_module('pipeline', run_name='__main__', alter_sys=True)",
)


def until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "gave up waiting"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Project:
    """A DVC project: its files, and commands in it."""

    def __init__(self, root: Path, files: dict[str, str], *, git: bool = False) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            self.write(name, text)
        if git:
            for words in (["init", "-q", "-b", "main"], ["config", "user.name", "T"], ["config", "user.email", "t@t"]):
                self.run("git", *words)
        Repo.init(str(root), no_scm=not git).close()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def start(self, *words: str, **more: object) -> subprocess.Popen[str]:
        return subprocess.Popen(words, cwd=self.root, text=True, **{"env": ENVIRONMENT, **more})

    def run(self, *words: str, code: int = 0, **more: object) -> str:
        """Return what a command prints; its exit code must be `code`."""
        done = subprocess.run(
            words, cwd=self.root, text=True, capture_output=True, check=False, **{"env": ENVIRONMENT, **more}
        )
        assert done.returncode == code, f"{words} failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def prefect_server(home: Path, database: str | None = None) -> Iterator[dict[str, str]]:
    """Run a real Prefect server on loopback; yield the environment in which Prefect finds it."""
    port = free_port()
    environment = {
        **ENVIRONMENT,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        **({"PREFECT_SERVER_DATABASE_CONNECTION_URL": database} if database else {}),
    }
    log = (home / "server.log").open("w+")
    server = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        env=environment, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: healthy(port) or server.poll() is not None)
        assert server.poll() is None, (home / "server.log").read_text()
        yield environment
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        log.close()


def healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


class Api:
    """The runs of a Prefect server, over plain HTTP."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._url = environment["PREFECT_API_URL"]
        auth = environment.get("PREFECT_API_AUTH_STRING")
        self._auth = tuple(auth.split(":", 1)) if auth else None

    def post(self, path: str, **body: object) -> Any:
        end = time.monotonic() + PATIENCE
        while (answer := self._ask(path, body)).status_code == 503 and time.monotonic() < end:
            time.sleep(0.5)  # SQLite is locked: Prefect's clients wait as well
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _ask(self, path: str, body: dict[str, object]) -> httpx.Response:
        """Ask once, with more patience than the 60 s for which the server itself waits for SQLite's lock."""
        return httpx.post(f"{self._url}/{path}", json=body, timeout=PATIENCE, auth=self._auth)

    def flow_runs(self) -> list[dict[str, Any]]:
        """Return the runs, newest first."""
        return list(self.post("flow_runs/filter", sort="START_TIME_DESC"))

    def ends(self, run: str) -> dict[str, str]:
        """Return the name of the last state of each task of a run."""
        tasks = self.post("task_runs/filter", task_runs={"flow_run_id": {"any_": [run]}})
        return {task["name"]: task["state"]["name"] for task in tasks if task["state"]}

    def arrows(self, run: str) -> set[tuple[str, str]]:
        """Return the pairs of tasks of a run of which the second is drawn behind the first."""
        tasks = self.post("task_runs/filter", task_runs={"flow_run_id": {"any_": [run]}})
        names = {task["id"]: task["name"] for task in tasks}
        return {
            (names[before["id"]], task["name"]) for task in tasks for before in task["task_inputs"].get("wait_for", [])
        }

    def names(self, run: str) -> set[str]:
        """Return all names that the tasks of a run have had."""
        related = {"id": [f"prefect.flow-run.{run}"]}
        page = self.post("events/filter", filter={"event": {"prefix": ["prefect.task-run."]}, "related": related})
        return {event["resource"]["prefect.resource.name"] for event in page["events"]}

    def artifacts(self, run: str) -> dict[str, Any]:
        artifacts = self.post("artifacts/filter", artifacts={"flow_run_id": {"any_": [run]}})
        return {artifact["key"]: artifact["data"] for artifact in artifacts}
