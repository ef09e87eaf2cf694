"""The flow against a real Prefect server on loopback: real stages, real kills, and the states read back by its API."""

import json
import signal
import subprocess
import time

import psutil
import pytest

from benchmarks.soak import FILES, expected_lock, faults, soak
from pipeline.repository.durations import lately
from tests.given.projects import Api, Project, gone, prefect_server, tree, until

RUN = ("python", "-m", "pipeline", "run")
SECONDS_TO_END = 10.0  # the promise

DIAMOND = """
stages:
  left: {cmd: cat in.txt > left && echo ran >> log-left, deps: [in.txt], outs: [left]}
  right: {cmd: cat in.txt > right && echo ran >> log-right, deps: [in.txt], outs: [right]}
  first: {cmd: head -c 1 in.txt > first, deps: [in.txt], outs: [first]}
  behind: {cmd: cp first behind && echo ran >> log-behind, deps: [first], outs: [behind]}
  both: {cmd: 'echo "{\\"m\\": 0.5}" > both && cat left right > /dev/null && echo ran >> log-both', deps: [left, right],
         metrics: [both: {cache: false}]}
  page: {cmd: cp both page.html && echo ran >> log-page, deps: [both], outs: [page.html]}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with prefect_server(tmp_path_factory.mktemp("prefect")) as environment:
        yield environment


@pytest.fixture(scope="module")
def api(server):
    return Api(server)


def runs(project: Project, name: str) -> int:
    path = project.root / f"log-{name}"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_every_affected_stage_runs_once_and_the_result_is_that_of_dvc_repro(tmp_path, server, api):
    project = Project(tmp_path / "flow", {"dvc.yaml": DIAMOND, "in.txt": "one"})
    other = Project(tmp_path / "dvc", {"dvc.yaml": DIAMOND, "in.txt": "one"})
    told = project.run(*RUN, "--workers", "2", env=server)
    assert "6 ran" in told
    other.run("dvc", "repro")
    assert project.read("dvc.lock") == other.read("dvc.lock")
    (run,) = [found for found in api.flow_runs() if found["name"] in told]
    assert run["state"]["name"] == "Completed"
    names = ("left", "right", "first", "behind", "both", "page")
    assert api.ends(run["id"]) == dict.fromkeys(names, "Ran")
    shown = api.artifacts(run["id"])
    assert "| page | run |" in shown["plan"]
    assert "| page | Ran |" in shown["results"]
    assert json.loads(shown["metrics"]) == [{"file": "both", "m": 0.5}]
    assert "page.html" in shown["report"]
    assert set(lately(project.root)) == set(names)
    assert [runs(project, name) for name in ("left", "right", "both", "page")] == [1, 1, 1, 1]
    # A change whose effect ends at `first` and at `both`, and its revert.
    for project_ in (project, other):
        project_.write("in.txt", "ozone")
    told = project.run(*RUN, env=server)
    (run,) = [found for found in api.flow_runs() if found["name"] in told]
    assert api.ends(run["id"]) == {
        "left": "Ran", "right": "Ran", "first": "Ran", "behind": "Unchanged", "both": "Ran", "page": "Unchanged",
    }  # fmt: skip
    assert [runs(project, name) for name in ("behind", "both", "page")] == [1, 2, 1]
    project.write("in.txt", "one")
    told = project.run(*RUN, env=server)
    (run,) = [found for found in api.flow_runs() if found["name"] in told]
    assert set(api.ends(run["id"]).values()) == {"Restored", "Unchanged"}
    assert project.read("dvc.lock") == other.read("dvc.lock")
    assert project.run(*RUN, env=server) == "nothing changed: 6 unchanged\n"
    project.run("dvc", "repro")


FAILING = """
stages:
  bad: {cmd: exit 3, deps: [in.txt], outs: [bad]}
  after: {cmd: cp bad after, deps: [bad], outs: [after]}
  slow: {cmd: sleep 2 && cp in.txt slow, deps: [in.txt], outs: [slow]}
  last: {cmd: cp slow last, deps: [slow], outs: [last]}
"""


def test_a_failure_blocks_what_is_behind_it_and_the_other_branches_are_finished_or_stopped(tmp_path, server, api):
    project = Project(tmp_path, {"dvc.yaml": FAILING, "in.txt": "one"})
    told = project.run(*RUN, "--workers", "2", "--fail-fast", env=server, code=1)
    (run,) = [found for found in api.flow_runs() if found["name"] in told]
    assert run["state"]["type"] == "FAILED"
    assert api.ends(run["id"]) == {"bad": "Failed", "after": "Blocked", "slow": "Cancelled", "last": "Blocked"}
    told = project.run(*RUN, "--workers", "2", env=server, code=1)
    (run,) = [found for found in api.flow_runs() if found["name"] in told]
    assert run["state"]["type"] == "FAILED"
    assert api.ends(run["id"]) == {"bad": "Failed", "after": "Blocked", "slow": "Ran", "last": "Ran"}
    assert "its command ended with 3" in told


AGAIN = """
stages:
  busy:
    cmd: echo try >> tries && test $(wc -l < tries) -ge 2 || exit 75; cp in.txt busy
    deps: [in.txt]
    outs: [busy]
  wrong: {cmd: 'echo try >> wrongs; exit 2', deps: [in.txt], outs: [wrong]}
  long: {cmd: sleep 600, deps: [in.txt], outs: [long], meta: {timeout: 2}}
"""


def test_busy_is_tried_again_a_usage_error_is_not_and_a_timeout_ends_a_stage(tmp_path, server, api):
    project = Project(tmp_path, {"dvc.yaml": AGAIN, "in.txt": "one"})
    told = project.run(*RUN, "--workers", "3", env=server, code=1)
    (run,) = [found for found in api.flow_runs() if found["name"] in told]
    assert api.ends(run["id"]) == {"busy": "Ran", "wrong": "Failed", "long": "Failed"}
    assert project.read("tries").count("try") == 2
    assert project.read("wrongs").count("try") == 1
    assert "took longer than its timeout of 2 s" in told


LONG = """
stages:
  training:
    cmd: >-
      echo begun > begun; test -e go || { python -c 'import time; time.sleep(600)' & sleep 600; };
      echo whole > training
    deps: [in.txt]
    outs: [training]
  next: {cmd: cp training next, deps: [training], outs: [next]}
"""


def cancel_by_signal(number):
    def cancel(process, _run, _api):
        process.send_signal(number)

    return cancel


def cancel_at_the_server(_process, run, api):
    api.post(f"flow_runs/{run}/set_state", state={"type": "CANCELLING", "name": "Cancelling"})


@pytest.mark.parametrize(
    ("cancel", "states", "codes"),
    [
        (cancel_by_signal(signal.SIGINT), {"CANCELLED"}, {143}),
        (cancel_by_signal(signal.SIGTERM), {"CANCELLED", "CRASHED"}, {143, -signal.SIGTERM}),
        (cancel_by_signal(signal.SIGKILL), {"RUNNING"}, {-signal.SIGKILL}),
        (cancel_at_the_server, {"CANCELLED"}, {143}),
    ],
    ids=["ctrl-c", "sigterm", "sigkill", "server"],
)
def test_a_cancelled_run_leaves_nothing_running_and_the_next_one_is_not_blocked(
    tmp_path, server, api, cancel, states, codes
):
    project = Project(tmp_path, {"dvc.yaml": LONG, "in.txt": "one"})
    process = project.start(*RUN, env=server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "begun").exists)
        family = [found.pid for found in tree(process.pid)]
        assert len(family) > 4
        run = api.flow_runs()[0]["id"]
        cancel(process, run, api)
        asked = time.monotonic()
        until(lambda: all(gone(pid) for pid in family[1:]), seconds=SECONDS_TO_END)
        assert time.monotonic() - asked < SECONDS_TO_END
        assert process.wait(30) in codes
    finally:
        for found in tree(process.pid):
            found.kill()
    assert api.post("flow_runs/filter", flow_runs={"id": {"any_": [run]}})[0]["state"]["type"] in states
    assert not (tmp_path / "training").exists()
    project.write("go", "")
    assert "2 ran" in project.run(*RUN, env=server)
    assert project.read("next") == "whole\n"


def test_a_second_run_in_one_workspace_is_told_busy(tmp_path, server):
    project = Project(tmp_path, {"dvc.yaml": LONG, "in.txt": "one"})
    process = project.start(*RUN, env=server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "begun").exists)
        assert f"process {process.pid}" in project.run(*RUN, env=server, code=75)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 143
    finally:
        for found in tree(process.pid):
            found.kill()
    assert not [found for found in psutil.process_iter(["cwd"]) if found.info["cwd"] == str(tmp_path)]


# ------------------------------------------------------------------------------------------------ struck at random
def hold(tmp_path, server, *, seconds: float, seed: int) -> None:
    """Two schedulers and a person by hand on one workspace: afterwards all is as if they had been left alone."""
    project = Project(tmp_path / "struck", FILES)
    history = soak(project, server, seconds=seconds, seed=seed)
    assert {told["event"] for told in history} == {"struck", "ended"}
    assert not faults(project, server, expected_lock(tmp_path / "alone"))


def test_after_a_short_soak_a_clean_run_gives_the_hashes_of_an_undisturbed_one(tmp_path, server):
    hold(tmp_path, server, seconds=12, seed=0)


@pytest.mark.slow
def test_after_ten_minutes_of_it_too(tmp_path, server):
    hold(tmp_path, server, seconds=600, seed=1)
