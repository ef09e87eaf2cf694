"""Stages on workers of a real Dask cluster: two processes with clones of their own, and a remote between them and here.

run/places/worker.py, run/places/reproduction.py and repository/delegate.py are tested here, through the cluster.
"""

import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import remove
from pipeline.repository.durations import DURATIONS_FILE
from pipeline.repository.lock_file import list_locked_stages
from pipeline.repository.planner import plan_stages
from pipeline.run.ending import StageEnd
from pipeline.run.execution import StageJob
from pipeline.run.places.cluster import Cluster, open_cluster
from tests.given.clusters import GRAPH, commit, dask_cluster, make_project, set_remote
from tests.given.projects import (
    COVERAGE,
    ENVIRONMENT,
    PATIENCE,
    PIPELINE,
    Api,
    Project,
    free_port,
    prefect_server,
    until,
)

SECONDS_TO_END = 15.0  # the promise
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    inherited = {"GIT_DIR": str(tmp_path_factory.mktemp("hook") / ".git")}  # of a shell in a hook of Git
    with dask_cluster(tmp_path_factory.mktemp("dask"), 2, {**ENVIRONMENT, **KEYS, **inherited}) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with prefect_server(tmp_path_factory.mktemp("prefect")) as environment:
        yield environment


@pytest.fixture
def project(tmp_path, monkeypatch):
    made = make_project(tmp_path / "project", str(tmp_path / "remote"))
    monkeypatch.chdir(made.root)
    return made


def reproduce(cluster: Cluster, name: str) -> tuple[StageEnd, list[str]]:
    """Run a stage on the cluster; return its end and its output."""
    (stage,) = [stage for stage in plan_stages([name]) if stage.name == name]
    lines: list[str] = []
    return cluster.start(stage, {}).follow(lines.append), lines


def test_a_run_on_two_workers_leaves_what_dvc_repro_leaves(tmp_path, dask, server, project):
    alone = Project(tmp_path / "alone", {name: project.read(name) for name in ("dvc.yaml", "in.txt", "data/added.txt")})
    alone.run("dvc", "repro")
    run = (*PIPELINE, "run", "--on", dask.address)
    output = project.run(*run, env={**server, **COVERAGE})
    assert project.read("dvc.lock") == alone.read("dvc.lock")
    assert project.read("data/join") == alone.read("data/join")
    assert "up to date" in project.run("dvc", "status")
    (flow_run,) = [flow_run for flow_run in Api(server).flow_runs() if flow_run["name"] in output]
    assert Api(server).ends(flow_run["id"]) == dict.fromkeys(("code", "prep", "cell@a", "cell@b", "join"), "Ran")
    clones = {stage: re.findall(rf"'{stage}' - on .*/(clone-\d)", output) for stage in ("prep", "cell@a", "cell@b")}
    assert clones["cell@a"] != clones["cell@b"]
    assert "'code' - on " not in output
    timed = {run["stage"] for run in map(json.loads, project.read(str(DURATIONS_FILE)).splitlines()) if run["machine"]}
    assert timed == {"prep", "cell@a", "cell@b", "join"}


SLOW = """
stages:
  mark:
    cmd: >-
      cat in.txt; test -e mark.checkpoint && cp in.txt out-mark ||
      { touch mark.checkpoint; touch BEGUN; sleep 600; }
    deps: [in.txt]
    outs: [out-mark]
    meta: {resource: gpu}
  long: {cmd: touch BEGUN; sleep 600, deps: [in.txt], outs: [out-long]}
  bad: {cmd: "cat in.txt; exit 3", deps: [in.txt], outs: [out-bad]}
  late: {cmd: sleep 600, deps: [in.txt], outs: [out-late], meta: {timeout: 1}}
  folder: {cmd: ls data/read > out-folder, deps: [data/read], outs: [out-folder]}
  quick: {cmd: cp in.txt out-quick, deps: [in.txt], outs: [out-quick]}
"""


@pytest.fixture(scope="module")
def struck(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    return make_project(folder / "project", str(folder / "remote"), SLOW.replace("BEGUN", str(folder / "begun")))


@pytest.fixture
def slow(struck, monkeypatch):
    monkeypatch.chdir(struck.root)
    begun(struck).unlink(missing_ok=True)
    return struck


def begun(project: Project) -> Path:
    """Return the file that a stage makes when it has begun."""
    return project.root.parent / "begun"


def test_a_stage_of_a_killed_worker_runs_again_in_its_clone_and_nothing_else_is_left_of_it(dask, slow):
    with open_cluster(dask.address) as cluster, ThreadPoolExecutor() as pool:
        running = pool.submit(reproduce, cluster, "mark")
        until(begun(slow).exists)
        before = dask.stages
        for worker in dask.workers:
            worker.kill()
        end, lines = running.result(PATIENCE)
    assert end.state == "Ran"
    assert [line for line in lines if line.startswith("on ")] == 2 * [lines[1]]
    assert slow.read("out-mark") == "one\n"
    until(lambda: not any(process.is_running() for process in before), seconds=SECONDS_TO_END)


def test_a_stage_that_fails_ends_as_it_does_here(dask, slow):
    slow.write("data/read/stranger", "")
    with open_cluster(dask.address) as cluster:
        assert reproduce(cluster, "bad")[0] == StageEnd("Failed", 3, "its command failed with exit code 3")
        end, _ = reproduce(cluster, "late")
        assert (end.state, end.code) == ("Failed", 1)
        assert "1 s" in end.why
        end, _ = reproduce(cluster, "folder")
        assert (end.state, end.code) == ("Failed", EnvironmentFault.exit_code)
        assert "data/read" in end.why
    until(lambda: not dask.stages, seconds=SECONDS_TO_END)
    assert not {"bad", "late", "folder"} & {*list_locked_stages()}


@pytest.mark.usefixtures("slow")
def test_a_folder_that_a_worker_cannot_write_into_is_named(dask):
    dask.clones.mkdir(parents=True, exist_ok=True)
    kept = dask.clones.rename(dask.clones.with_name("kept"))
    dask.clones.write_text("a file")
    with open_cluster(dask.address) as cluster:
        end, _ = reproduce(cluster, "bad")
    remove(dask.clones)
    kept.rename(dask.clones)
    assert (end.state, end.code) == ("Failed", EnvironmentFault.exit_code)
    assert str(dask.clones) in end.why


def test_a_cancelled_stage_leaves_nothing_running_on_its_worker(dask, slow):
    (stage,) = [stage for stage in plan_stages(["long"]) if stage.name == "long"]
    with open_cluster(dask.address) as cluster, ThreadPoolExecutor() as pool:
        job = cluster.start(stage, {})
        end = pool.submit(job.follow, lambda _: None)
        until(begun(slow).exists)
        job.stop()
        job.stop("again")
        assert end.result(PATIENCE) == StageEnd("Cancelled", why="stopped")
        until(lambda: not dask.stages, seconds=SECONDS_TO_END)


def test_a_stage_that_a_worker_restores_has_no_duration(dask, slow):
    with open_cluster(dask.address) as cluster:
        assert reproduce(cluster, "quick")[0].state == "Ran"
        timed = slow.read(str(DURATIONS_FILE))
        for kept in ("dvc.lock", ".dvc/cache", "out-quick"):
            remove(slow.root / kept)
        assert reproduce(cluster, "quick")[0].state == "Restored"
    assert slow.read("out-quick") == "one\n"
    assert slow.read(str(DURATIONS_FILE)) == timed


def test_code_that_changes_before_the_first_stage_is_refused(dask, project):
    with open_cluster(dask.address) as cluster:
        project.write("in.txt", "changed\n")
        commit(project)
        with pytest.raises(UsageError, match=r"in\.txt"):
            reproduce(cluster, "prep")


def ask_for_the_result(_cluster: Cluster, job: StageJob) -> int:
    return job.follow(lambda _: None).code


def ask_for_the_size(cluster: Cluster, _job: StageJob) -> int:
    with pytest.raises(EnvironmentFault, match=cluster.address) as caught:
        cluster.size  # noqa: B018 - it asks the scheduler
    return caught.value.exit_code


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("ask", [ask_for_the_result, ask_for_the_size])
def test_a_scheduler_that_is_lost_before_it_answers_is_no_fault_of_the_pipeline(tmp_path, ask):
    (stage,) = [stage for stage in plan_stages(["bad"]) if stage.name == "bad"]
    own = dask_cluster(tmp_path, 1, ENVIRONMENT)
    with own as dask, open_cluster(dask.address) as cluster, ThreadPoolExecutor() as pool:
        port = dask.address.rpartition(":")[2]
        alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
        (scheduler,) = [child for child in alive if port in child.cmdline()]
        job = cluster.start(stage, {})
        until(lambda: [state.status for state in cluster.client.futures.values()] == ["finished"])
        scheduler.suspend()
        code = pool.submit(ask, cluster, job)
        time.sleep(1)  # it has been asked by then; otherwise the connection is lost all the same
        scheduler.kill()
        assert code.result(PATIENCE) == EnvironmentFault.exit_code


DRIVER = """
import sys
from pipeline.repository.planner import plan_stages
from pipeline.run.places.cluster import open_cluster

with open_cluster(sys.argv[1]) as cluster:
    cluster.start(plan_stages(["long"])[-1], {}).follow(print)
"""


def test_a_stage_ends_with_the_process_that_drives_it(dask, slow):
    driver = slow.start(sys.executable, "-c", DRIVER, dask.address, stdout=subprocess.DEVNULL)
    try:
        until(begun(slow).exists)
        driver.kill()
        until(lambda: not dask.stages, seconds=SECONDS_TO_END)
    finally:
        driver.kill()
        driver.wait()


def test_a_cluster_that_cannot_give_the_same_result_is_refused(dask, project):
    project.write("in.txt", "changed\n")
    with pytest.raises(UsageError, match=r"in\.txt"), open_cluster(dask.address):
        pass
    commit(project)
    with pytest.raises(UsageError, match="nothing://here"), open_cluster("nothing://here"):
        pass
    set_remote(project, url="../../remote")
    with pytest.raises(EnvironmentFault, match="kept"), open_cluster(dask.address):
        pass
    set_remote(project)
    with pytest.raises(EnvironmentFault, match="dvc remote add"), open_cluster(dask.address):
        pass


@pytest.fixture
def bucket():
    """The address of a server that speaks S3, with a bucket."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)],
        env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: answers(url))
        assert httpx.put(f"{url}/bucket").status_code == 200
        yield url
    finally:
        server.kill()
        server.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_bucket_may_be_between_the_machines(tmp_path, dask, bucket, monkeypatch):
    made = make_project(tmp_path / "project", "s3://bucket/kept", GRAPH, endpointurl=bucket)
    made.write("in.txt", "bucket\n")
    commit(made)
    made.run("dvc", "repro", "code")
    monkeypatch.chdir(made.root)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with open_cluster(dask.address) as cluster:
        assert reproduce(cluster, "prep")[0].state == "Ran"
    assert made.read("data/prep") == "bucket\nadded\n"
