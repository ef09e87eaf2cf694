"""A served project: server, deployments and worker of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.given.projects import COVERAGE, ENVIRONMENT, PIPELINE, ROOT, Api, Project, free_port, gone, tree, until

STAGES = """
stages:
  a: {cmd: cp in.txt a.txt, deps: [in.txt], outs: [a.txt: {cache: false}]}
  slow:
    cmd: test -e quick || sleep 600; cp a.txt slow.txt
    deps: [a.txt]
    outs: [slow.txt]
"""
WATCHED = {
    "slug": "spam",
    "cron": "0 6 * * *",
    "timezone": "UTC",
    "parameters": {"task": "spam", "file": "/srv/inbox/spam.jsonl.gz"},
}


@contextmanager
def serving(root: Path, **more: str) -> Iterator[tuple[Project, Api]]:
    """Serve a project's deployments; yield it and the server's API."""
    files = {"dvc.yaml": STAGES, "in.txt": "one", "quick": "", ".gitignore": ".prefect\nbegun\n"}
    for name in ("prefect.yaml", "pipeline/flow/flow.py", "pipeline/flow/watch.py"):
        files[name] = (ROOT / name).read_text()
    files["prefect.yaml"] = files["prefect.yaml"].replace("schedules: []", f"schedules: [{json.dumps(WATCHED)}]")
    project = Project(root, files, git=True)
    commit(project, "First")
    port = free_port()
    environment = {**ENVIRONMENT, "PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_PREFETCH_SECONDS": "1", **more}
    try:
        output = project.run(*PIPELINE, "up", "--port", str(port), env={**environment, **COVERAGE})
        auth = project.read(".prefect/auth")
        steps = [line.partition(":")[0] for line in output.splitlines()]
        parts = ["server", "server", "work pool", "deployments", "automation", "worker", *["deployment"] * 3]
        assert steps[: len(parts)] == parts
        assert f"http://127.0.0.1:{port}" in output
        assert auth in output.splitlines()
        yield project, Api({"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_API_AUTH_STRING": auth})
    finally:
        state_file = project.root / ".prefect/service.json"
        processes = json.loads(state_file.read_text())["processes"] if state_file.exists() else []
        family = [member.pid for pid, _ in processes for member in tree(pid)]
        output = project.run(*PIPELINE, "down", env={**ENVIRONMENT, **COVERAGE})
        assert all(f"process {pid}" in output for pid, _ in processes)
        until(lambda: all(gone(pid) for pid in family))
        assert project.run(*PIPELINE, "down") == "nothing was running\n"


def commit(project: Project, message: str) -> None:
    project.run("git", "add", "--all")
    project.run("git", "commit", "-q", "-m", message)


def deployment(api: Api, name: str) -> dict:
    return next(deployed for deployed in api.post("deployments/filter") if deployed["name"] == name)


def start(api: Api, name: str, *, later: float | None = None, **parameters: object) -> str:
    state: dict[str, object] = {"type": "SCHEDULED"}
    if later is not None:
        when = datetime.now(UTC) + timedelta(seconds=later)
        state["state_details"] = {"scheduled_time": when.isoformat()}
    run = api.post(f"deployments/{deployment(api, name)['id']}/create_flow_run", parameters=parameters, state=state)
    return str(run["id"])


def state(api: Api, run: str) -> dict:
    (flow_run,) = api.post("flow_runs/filter", flow_runs={"id": {"any_": [run]}})
    return dict(flow_run["state"])


def ended(api: Api, run: str) -> str:
    until(lambda: state(api, run)["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"))
    return str(state(api, run)["name"])
