"""`up` and `down` end to end: a real server behind a password, deployments, a worker, scheduled runs."""

import shutil
import socket
import stat
import subprocess

import httpx
import psutil
import pytest

from pipeline.__main__ import main
from tests.given.projects import ENVIRONMENT, Project, gone, until
from tests.given.service import WATCHED, commit, deployment, ended, serving, start, state
from tests.given.watching import write_csv, write_project, write_texts


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("served")) as project_and_api:
        yield project_and_api


def test_what_is_deployed_is_behind_a_password_scheduled_and_one_at_a_time(served):
    project, api = served
    assert stat.S_IMODE((project.root / ".prefect/auth").stat().st_mode) == 0o600
    assert stat.S_IMODE((project.root / ".prefect").stat().st_mode) == 0o700
    assert httpx.post(f"{api._url}/deployments/filter", json={}).status_code == 401
    nightly, demand, watch = (deployment(api, name) for name in ("nightly", "on-demand", "watch"))
    assert [item["schedule"] for item in nightly["schedules"]] == [
        {"cron": "0 3 * * *", "timezone": "UTC", "day_or": True}
    ]
    (daily,) = watch["schedules"]
    assert (daily["schedule"]["cron"], daily["parameters"]) == (WATCHED["cron"], WATCHED["parameters"])
    for deployed in (nightly, demand, watch):
        assert deployed["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert deployed["global_concurrency_limit"]["limit"] == 1
    (zombies,) = api.post("automations/filter")
    assert zombies["name"] == "Crash zombie flows"
    assert zombies["enabled"]
    address = api._url.removesuffix("/api")
    assert f"already runs at {address}" in project.run("python", "-m", "pipeline", "up", code=2)


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


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - a program that listens there
def test_a_port_that_another_program_has_is_refused(address, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with socket.create_server((address, 0)) as other:
        port = other.getsockname()[1]
        assert main(["up", "--port", str(port)]) == 2
    assert f"port {port}: " in capsys.readouterr().err
    assert main(["up", "--port", "65536"]) == 2
    assert not list(tmp_path.iterdir())


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
    for cancelled in (second, run):
        api.post(f"flow_runs/{cancelled}/set_state", state={"type": "CANCELLING", "name": "Cancelling"})
    until(lambda: all(gone(pid) for pid in mine), seconds=10)  # the promise
    assert ended(api, run) == "Cancelled"
    assert "Finished in state Running" not in project.read(".prefect/worker.log")
    project.write("quick", "")
    commit(project, "Quickly")
    again = start(api, "on-demand")
    assert ended(api, again) == "Completed"
    assert api.ends(again)["slow"] == "Ran"


def test_a_run_of_watch_ends_by_what_came_in_and_shows_it(served, tmp_path):
    project, api = served
    write_project(tmp_path / "made", "reviews")
    shutil.copytree(tmp_path / "made", project.root, dirs_exist_ok=True)
    commit(project, "A model")
    usual = write_csv(tmp_path / "usual.csv", write_texts(5), labels=False)
    other = write_csv(tmp_path / "other.csv", write_texts(6, positive=0.85, words=(20, 30)), labels=False)
    runs = [start(api, "watch", task="reviews", file=str(file)) for file in (usual, other)]
    assert [ended(api, run) for run in runs] == ["Completed", "Alarm"]
    assert "length" in state(api, runs[1])["message"]
    shown = [api.artifacts(run) for run in runs]
    assert [[*each] for each in shown] == [["watch-reviews"]] * 2
    assert "**Limits exceeded: " in shown[1]["watch-reviews"]


@pytest.mark.slow
def test_a_killed_run_is_called_crashed_once_its_heartbeat_has_stopped(served):
    """Nobody's worker watches a run by hand, so the automation alone can tell; it is given less patience here."""
    project, api = served
    (project.root / "quick").unlink(missing_ok=True)
    project.write("in.txt", "three")
    shorter = "from pipeline.flow.configuration import crash_zombies; crash_zombies(12)"
    known = {"PREFECT_API_URL": api._url, "PREFECT_API_AUTH_STRING": project.read(".prefect/auth")}
    project.run("python", "-c", shorter, env={**ENVIRONMENT, **known})
    process = project.start("python", "-m", "pipeline", "run", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: sleepers(project))
    (run,) = [flow_run["id"] for flow_run in api.flow_runs() if flow_run["state"]["type"] == "RUNNING"]
    process.kill()
    process.wait()
    assert ended(api, run) == "Crashed"
    assert "killed" in state(api, run)["message"]
    project.write("quick", "")
