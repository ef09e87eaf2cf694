"""The flow against a real Prefect server on loopback: real stages, real kills, and the states read back by its API.

flow/tasks.py, flow/artifacts.py, flow/commands.py and run/process.py are tested here, through the flow.
"""

import json
import re
import signal
import subprocess
import time

import psutil
import pytest

from benchmarks.soak import FILES, find_faults, make_undisturbed_lock, soak
from tests.given.projects import COVERAGE, PIPELINE, Api, Project, gone, prefect_server, tree, until

RUN = (*PIPELINE, "run")
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


@pytest.fixture
def traced(server):
    return {**server, **COVERAGE}


@pytest.fixture(scope="module")
def api(server):
    return Api(server)


def run_of(api: Api, output: str) -> dict:
    """Return the run that the output of a flow names."""
    (run,) = [flow_run for flow_run in api.flow_runs() if flow_run["name"] in output]
    return run


def runs(project: Project, name: str) -> int:
    path = project.root / f"log-{name}"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_every_affected_stage_runs_once_and_the_result_is_that_of_dvc_repro(tmp_path, traced, api):
    project = Project(tmp_path / "flow", {"dvc.yaml": DIAMOND, "in.txt": "one"})
    other = Project(tmp_path / "dvc", {"dvc.yaml": DIAMOND, "in.txt": "one"})
    output = project.run(*RUN, "--workers", "2", env=traced)
    assert "6 ran" in output
    other.run("dvc", "repro")
    assert project.read("dvc.lock") == other.read("dvc.lock")
    run = run_of(api, output)
    assert run["state"]["name"] == "Completed"
    names = ("left", "right", "first", "behind", "both", "page")
    assert api.ends(run["id"]) == dict.fromkeys(names, "Ran")
    shown = api.artifacts(run["id"])
    assert "| page | run |" in shown["plan"]
    assert "| page | Ran |" in shown["results"]
    assert json.loads(shown["metrics"]) == [{"file": "both", "m": 0.5}]
    assert "page.html" in shown["report"]
    assert [f"[{number}/6]" in output for number in range(8)] == [False, *[True] * 6, False]
    assert [runs(project, name) for name in ("left", "right", "both", "page")] == [1, 1, 1, 1]
    # A change whose effect ends at `first` and at `both`, and its revert.
    for project_ in (project, other):
        project_.write("in.txt", "ozone")
    output = project.run(*RUN, env=traced)
    run = run_of(api, output)
    assert api.ends(run["id"]) == dict.fromkeys(("left", "right", "first", "both"), "Ran")
    assert "| behind | Unchanged |" in api.artifacts(run["id"])["results"]
    assert [runs(project, name) for name in ("behind", "both", "page")] == [1, 2, 1]
    project.write("in.txt", "one")
    output = project.run(*RUN, env=traced)
    run = run_of(api, output)
    assert set(api.ends(run["id"]).values()) == {"Restored"}
    assert project.read("dvc.lock") == other.read("dvc.lock")
    assert project.run(*RUN, env=traced) == "nothing changed: 6 unchanged\n"
    project.run("dvc", "repro")


CHAINS = """
stages:
  a: {cmd: cp in.txt a, deps: [in.txt], outs: [a]}
  first: {cmd: head -c 1 a > first, deps: [a], outs: [first]}
  behind: {cmd: cp first behind, deps: [first], outs: [behind]}
  last: {cmd: cat a behind > last, deps: [a, behind], outs: [last]}
  other: {cmd: cp other.txt other, deps: [other.txt], outs: [other]}
"""


def test_only_affected_stages_are_tasks_and_the_others_are_one_table(tmp_path, traced, api):
    project = Project(tmp_path, {"dvc.yaml": CHAINS, "in.txt": "one", "other.txt": "one"})
    project.run("dvc", "repro")
    project.write("in.txt", "ozone")
    run = run_of(api, project.run(*RUN, env=traced))["id"]
    assert api.ends(run) == dict.fromkeys(("a", "first", "last"), "Ran")
    assert api.arrows(run) == {("a", "first"), ("first", "last")}
    until(lambda: api.names(run) >= {"a", "first", "last"})  # the server writes events down a little later
    assert {name.split("-")[0] for name in api.names(run)} == {"a", "first", "last"}  # before a task begins, too
    shown = api.artifacts(run)
    assert [(row["stage"], row["state"]) for row in json.loads(shown["unchanged"])] == [("other", "unchanged")]
    assert "| behind | Unchanged |" in shown["results"]
    assert "(/artifacts/key/unchanged)" in shown["plan"]


FAILING = """
stages:
  bad: {cmd: exit 3, deps: [in.txt], outs: [bad]}
  after: {cmd: cp bad after, deps: [bad], outs: [after]}
  slow: {cmd: sleep 2 && cp in.txt slow, deps: [in.txt], outs: [slow]}
  last: {cmd: cp slow last, deps: [slow], outs: [last]}
"""


def test_a_failure_blocks_what_is_behind_it_and_the_other_branches_are_finished_or_stopped(tmp_path, traced, api):
    project = Project(tmp_path, {"dvc.yaml": FAILING, "in.txt": "one"})
    output = project.run(*RUN, "--workers", "2", "--fail-fast", env=traced, code=1)
    run = run_of(api, output)
    assert run["state"]["type"] == "FAILED"
    assert api.ends(run["id"]) == {"bad": "Failed", "after": "Blocked", "slow": "Cancelled", "last": "Blocked"}
    output = project.run(*RUN, "--workers", "2", env=traced, code=1)
    run = run_of(api, output)
    assert run["state"]["type"] == "FAILED"
    assert api.ends(run["id"]) == {"bad": "Failed", "after": "Blocked", "slow": "Ran", "last": "Ran"}
    assert "exit code 3" in output


AGAIN = """
stages:
  busy:
    cmd: echo try >> tries && test $(wc -l < tries) -ge 2 || exit 75; cp in.txt busy
    deps: [in.txt]
    outs: [busy]
  wrong: {cmd: 'echo try >> wrongs; exit 2', deps: [in.txt], outs: [wrong]}
  long: {cmd: sleep 600, deps: [in.txt], outs: [long], meta: {timeout: 2}}
  learn:
    cmd: >-
      echo "step 1/4, epoch 0.25: loss 0.9000, 0:00:03 left";
      echo "step 2/4, epoch 0.50: loss 0.8000, 0:00:02 left"; cp in.txt learn
    deps: [in.txt]
    outs: [learn]
"""


def test_busy_is_tried_again_a_usage_error_is_not_a_timeout_ends_a_stage_and_progress_is_shown(tmp_path, traced, api):
    project = Project(tmp_path, {"dvc.yaml": AGAIN, "in.txt": "one"})
    output = project.run(*RUN, "--workers", "3", env=traced, code=1)
    run = run_of(api, output)
    assert api.ends(run["id"]) == {"busy": "Ran", "wrong": "Failed", "long": "Failed", "learn": "Ran"}, output
    assert api.artifacts(run["id"])["learn"] == 50.0
    assert project.read("tries").count("try") == 2
    assert project.read("wrongs").count("try") == 1
    assert "timeout of 2 s" in output


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
    tmp_path, server, traced, api, cancel, states, codes
):
    project = Project(tmp_path, {"dvc.yaml": LONG, "in.txt": "one"})
    process = project.start(*RUN, env=traced, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "begun").exists)
        family = [member.pid for member in tree(process.pid)]
        assert len(family) > 4
        run = api.flow_runs()[0]["id"]
        cancel(process, run, api)
        asked = time.monotonic()
        until(lambda: all(gone(pid) for pid in family[1:]), seconds=SECONDS_TO_END)
        assert time.monotonic() - asked < SECONDS_TO_END
        assert process.wait(30) in codes
    finally:
        for member in tree(process.pid):
            member.kill()
    assert api.post("flow_runs/filter", flow_runs={"id": {"any_": [run]}})[0]["state"]["type"] in states
    assert not (tmp_path / "training").exists()
    project.write("go", "")
    assert "2 ran" in project.run(*RUN, env=server)
    assert project.read("next") == "whole\n"


def test_a_second_run_in_one_workspace_is_refused_as_busy(tmp_path, server, traced):
    project = Project(tmp_path, {"dvc.yaml": LONG, "in.txt": "one"})
    process = project.start(*RUN, env=server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "begun").exists)
        assert f"process {process.pid}" in project.run(*RUN, env=traced, code=75)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 143
    finally:
        for member in tree(process.pid):
            member.kill()
    assert not [member for member in psutil.process_iter(["cwd"]) if member.info["cwd"] == str(tmp_path)]


ORDERED = """
stages:
  slow: {cmd: 'until grep -q quick dvc.lock; do sleep 0.1; done; cp in.txt slow', deps: [in.txt], outs: [slow]}
  quick: {cmd: cp in.txt quick, deps: [in.txt], outs: [quick]}
  long: {cmd: touch begun; sleep 600, deps: [slow, quick], outs: [long]}
"""


def test_an_interrupted_run_leaves_dvc_lock_in_the_order_of_the_plan(tmp_path, traced):
    project = Project(tmp_path, {"dvc.yaml": ORDERED, "in.txt": "one"})
    planned = [stage["name"] for stage in json.loads(project.run("python", "-m", "pipeline", "plan", "--json", code=1))]
    assert planned == ["slow", "quick", "long"]
    process = project.start(*RUN, "--workers", "2", env=traced, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "begun").exists)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 143
    finally:
        for member in tree(process.pid):
            member.kill()
    assert re.findall(r"^  (\w+):", project.read("dvc.lock"), flags=re.MULTILINE) == ["slow", "quick"]


# A part of Prefect that fails, as its network and its engine may.
TWO = """
stages:
  learn: {cmd: 'echo "step 1/4, epoch 0.25: loss 0.9000, 0:00:03 left"; sleep 2; cp in.txt learn', deps: [in.txt],
          outs: [learn]}
  other: {cmd: cp in.txt other, deps: [in.txt], outs: [other]}
"""
PATCHED = """
import sys
from pipeline.flow import artifacts, flow, tasks

def fail(*_words, **_more):
    raise ConnectionError("no answer")

flow.SECONDS_TO_STOP_ALL = 2.0
"""
CALL = "from pipeline.__main__ import main\nsys.exit(main(['run', '--workers', '2']))\n"
NO_ANSWER = """
artifacts.create_markdown_artifact = artifacts.create_progress_artifact = flow.get_client = fail
"""
NO_ENGINE = """
tasks._stage = tasks._stage.with_options(task_run_name=fail)
"""
INTERRUPTED = """
submit = tasks.StageTasks._submit

def interrupt(self, stage, *rest):
    if stage.name == "other":
        raise KeyboardInterrupt
    return submit(self, stage, *rest)

tasks.StageTasks._submit = interrupt
"""
NO_WORKERS = "state = flow.transferline(workers=-1, return_state=True)\nsys.exit(int(state.name != 'UsageError'))\n"


def call(project: Project, environment: dict[str, str], script: str, *, code: int) -> str:
    return project.run("python", "-c", PATCHED + script, env=environment, code=code, timeout=120)


def test_a_request_to_the_server_that_fails_costs_no_stage_its_work(tmp_path, server):
    project = Project(tmp_path, {"dvc.yaml": TWO, "in.txt": "one"})
    output = call(project, server, NO_ANSWER + CALL, code=0)
    assert "2 ran" in output
    assert project.read("learn") == "one"
    for part in ("plan", "progress", "state of the run", "results"):
        assert re.search(rf"{part} could not be \w+, ConnectionError", output)


def test_a_task_that_prefect_cannot_begin_ends_as_failed(tmp_path, server):
    project = Project(tmp_path, {"dvc.yaml": TWO, "in.txt": "one"})
    assert "2 failed" in call(project, server, NO_ENGINE + CALL, code=1)
    assert not (tmp_path / "other").exists()


def test_an_interrupt_while_a_task_is_being_submitted_ends_the_run(tmp_path, server):
    project = Project(tmp_path, {"dvc.yaml": TWO, "in.txt": "one"})
    call(project, server, INTERRUPTED + CALL, code=143)
    assert not (tmp_path / "learn").exists()


def test_a_number_of_workers_that_is_not_positive_is_refused_wherever_it_comes_from(tmp_path, server, traced):
    project = Project(tmp_path, {"dvc.yaml": TWO, "in.txt": "one"})
    call(project, server, NO_WORKERS, code=0)
    assert "workers: " in project.run(*RUN, "--workers", "0", env=traced, code=2)


# ------------------------------------------------------------------------------------------------ struck at random
def check_soak(tmp_path, server, *, seconds: float, seed: int) -> None:
    """Two schedulers and a person on one workspace: afterwards all is as if they had been left alone."""
    project = Project(tmp_path / "struck", FILES)
    history = soak(project, server, seconds=seconds, seed=seed)
    assert {entry["event"] for entry in history} == {"struck", "ended"}
    assert not find_faults(project, server, make_undisturbed_lock(tmp_path / "alone"))


def test_after_a_short_soak_a_clean_run_gives_the_hashes_of_an_undisturbed_one(tmp_path, server):
    check_soak(tmp_path, server, seconds=6, seed=0)


@pytest.mark.slow
def test_after_ten_minutes_of_it_too(tmp_path, server):
    check_soak(tmp_path, server, seconds=600, seed=1)
