"""`serve` and `down` end to end: a real server behind a password, deployments, a worker, scheduled runs."""

import json
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from tests.projects import ENVIRONMENT, ROOT, Api, Project, free_port, gone, tree, until

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
    for name in ("prefect.yaml", "pipeline/flow.py"):
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


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("served")) as found:
        yield found


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


def test_what_is_deployed_is_behind_a_password_scheduled_and_one_at_a_time(served):
    project, api = served
    assert stat.S_IMODE((project.root / ".prefect/auth").stat().st_mode) == 0o600
    assert httpx.post(f"{api._url}/deployments/filter", json={}).status_code == 401
    nightly, demand = deployment(api, "nightly"), deployment(api, "on-demand")
    assert [item["schedule"] for item in nightly["schedules"]] == [
        {"cron": "0 3 * * *", "timezone": "UTC", "day_or": True}
    ]
    for found in (nightly, demand):
        assert found["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert found["global_concurrency_limit"]["limit"] == 1
    (zombies,) = api.post("automations/filter")
    assert zombies["name"] == "Crash zombie flows"
    assert zombies["enabled"]
    assert "it runs already" in project.run("python", "-m", "pipeline", "serve", code=2)


def test_a_scheduled_run_publishes_a_branch_and_the_next_one_says_that_nothing_changed(served):
    project, api = served
    project.write("in.txt", "uncommitted work")
    run = start(api, "nightly", later=1.0, refresh=True, publish="branch")
    assert ended(api, run) == "Completed"
    assert api.ends(run) == {"a": "Ran", "slow": "Ran"}
    assert project.read("in.txt") == "uncommitted work"
    assert not (project.root / "a.txt").exists()
    project.run("git", "checkout", "-q", "--", "in.txt")
    (branch,) = project.run("git", "branch", "--list", "--format=%(refname:short)", "transferline/*").split()
    assert project.run("git", "show", f"{branch}:a.txt") == "one"
    project.run("git", "merge", "-q", branch)
    assert ended(api, start(api, "nightly", refresh=True, publish="branch")) == "Unchanged"


def sleepers(project: Project) -> list[int]:
    """Return the processes of the stage that sleeps, below the project's folder."""
    return [
        process.pid
        for process in psutil.process_iter(["cwd", "name"])
        if process.info["name"] == "sleep" and str(project.root) in (process.info["cwd"] or "")
    ]


def test_a_run_is_cancelled_at_the_server_and_runs_again(served):
    project, api = served
    (project.root / "quick").unlink()
    project.write("in.txt", "two")
    commit(project, "Slowly")
    run, second = start(api, "on-demand"), start(api, "on-demand")
    until(lambda: api.ends(run).get("slow") == "Running")
    assert state(api, second)["type"] not in ("RUNNING", "COMPLETED")  # one workspace, one run
    until(lambda: sleepers(project))  # the task runs before its stage does
    mine = sleepers(project)
    for one in (second, run):
        api.post(f"flow_runs/{one}/set_state", state={"type": "CANCELLING", "name": "Cancelling"})
    until(lambda: all(gone(pid) for pid in mine), seconds=10)  # the promise
    assert ended(api, run) == "Cancelled"
    project.write("quick", "")
    commit(project, "Quickly")
    again = start(api, "on-demand")
    assert ended(api, again) == "Completed"
    assert api.ends(again)["slow"] == "Ran"


@pytest.mark.slow
def test_a_killed_run_is_called_crashed_once_its_heartbeat_has_stopped(served):
    """Nobody's worker watches a run by hand, so the automation alone can tell; it is given less patience here."""
    project, api = served
    (project.root / "quick").unlink(missing_ok=True)
    project.write("in.txt", "three")
    shorter = "from pipeline.service import crash_zombies; crash_zombies(12)"
    known = {"PREFECT_API_URL": api._url, "PREFECT_API_AUTH_STRING": project.read(".prefect/auth")}
    project.run("python", "-c", shorter, env={**ENVIRONMENT, **known})
    process = project.start("python", "-m", "pipeline", "run", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: sleepers(project))
    (run,) = [found["id"] for found in api.flow_runs() if found["state"]["type"] == "RUNNING"]
    process.kill()
    process.wait()
    assert ended(api, run) == "Crashed"
    assert "no sign of life" in state(api, run)["message"]
    project.write("quick", "")
