"""A served project: server, deployments and worker of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.given.projects import ENVIRONMENT, ROOT, Api, Project, free_port, gone, tree, until

PIPELINE = """
stages:
  a: {cmd: cp in.txt a.txt, deps: [in.txt], outs: [a.txt: {cache: false}]}
  slow:
    cmd: test -e quick || sleep 600; cp a.txt slow.txt
    deps: [a.txt]
    outs: [slow.txt]
"""


@contextmanager
def serving(root: Path, **more: str) -> Iterator[tuple[Project, Api]]:
    """Serve a project's deployments; yield it and what the server tells."""
    files = {"dvc.yaml": PIPELINE, "in.txt": "one", "quick": "", ".gitignore": ".prefect\nbegun\n"}
    for name in ("prefect.yaml", "pipeline/flow/flow.py"):
        files[name] = (ROOT / name).read_text()
    project = Project(root, files, git=True)
    commit(project, "First")
    port = free_port()
    environment = {**ENVIRONMENT, "PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_PREFETCH_SECONDS": "1", **more}
    try:
        told = project.run("python", "-m", "pipeline", "serve", "--port", str(port), env=environment)
        assert f"http://127.0.0.1:{port}" in told
        auth = project.read(".prefect/auth")
        yield project, Api({"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_API_AUTH_STRING": auth})
    finally:
        state_file = project.root / ".prefect/service.json"
        processes = json.loads(state_file.read_text())["processes"] if state_file.exists() else []
        family = [found.pid for pid, _ in processes for found in tree(pid)]
        project.run("python", "-m", "pipeline", "down")
        until(lambda: all(gone(pid) for pid in family))
        assert project.run("python", "-m", "pipeline", "down") == "nothing was running\n"


def commit(project: Project, message: str) -> None:
    project.run("git", "add", "--all")
    project.run("git", "commit", "-q", "-m", message)


def deployment(api: Api, name: str) -> dict:
    return next(found for found in api.post("deployments/filter") if found["name"] == name)


def start(api: Api, name: str, *, later: float | None = None, **parameters: object) -> str:
    state: dict[str, object] = {"type": "SCHEDULED"}
    if later is not None:
        when = datetime.now(UTC) + timedelta(seconds=later)
        state["state_details"] = {"scheduled_time": when.isoformat()}
    run = api.post(f"deployments/{deployment(api, name)['id']}/create_flow_run", parameters=parameters, state=state)
    return str(run["id"])


def state(api: Api, run: str) -> dict:
    (found,) = api.post("flow_runs/filter", flow_runs={"id": {"any_": [run]}})
    return dict(found["state"])


def ended(api: Api, run: str) -> str:
    until(lambda: state(api, run)["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"))
    return str(state(api, run)["name"])
