"""Runs sent to a real MLflow server; the stage `track` and its settings are tested here too.

Skipped without the client (`pip install mlflow-skinny`) or a server: the program `mlflow` of the whole package, perhaps
of another environment (`PATH=OTHER/bin:$PATH`), since it wants an older pyarrow.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import sha256
from pipeline.settings.task import TrackParams
from pipeline.stages.track import run
from tests.given.projects import ENVIRONMENT, free_port, until
from tests.given.tracking import SETTINGS, track_apart, write_results


@contextmanager
def serving(folder: Path):
    """Run MLflow's server on loopback, with its database and its artifacts in `folder`; yield its address."""
    program, port = shutil.which("mlflow"), free_port()
    if program is None:
        pytest.skip("the program mlflow is not installed")
    words = [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = [
        "--backend-store-uri",
        f"sqlite:///{folder}/runs.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*words, *stores], env={**environment, "MLFLOW_DISABLE_TELEMETRY": "true"}, stdout=log, stderr=log,
            cwd=folder, start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: server.poll() is not None or answers(url), seconds=300)
        if server.poll() is not None:
            pytest.skip(f"mlflow has no server here: {(folder / 'log').read_text()[-200:]}")
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("mlflow", reason="pip install mlflow-skinny")
    with serving(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture
def results(tmp_path):
    return write_results(tmp_path)


def track(results, tracking: Path, **environment: str) -> dict:
    return track_apart("mlflow", results, tracking, **environment)


def read_run(url: str, identity: str) -> dict:
    answer = httpx.get(f"{url}/api/2.0/mlflow/runs/get", params={"run_id": identity}, timeout=60)
    return dict(answer.raise_for_status().json()["run"])


def list_artifacts(url: str, identity: str) -> set[str]:
    answer = httpx.get(f"{url}/api/2.0/mlflow/artifacts/list", params={"run_id": identity}, timeout=60)
    return {item["path"] for item in answer.raise_for_status().json()["files"]}


def test_the_server_has_a_run_with_the_report_and_one_nested_in_it_for_each_task(server, results, tmp_path):
    sent = track(results, tmp_path / "tracking.json", MLFLOW_TRACKING_URI=server)
    parent = read_run(server, sent["run"])
    assert parent["info"]["status"] == "FINISHED"
    assert list_artifacts(server, sent["run"]) == {"report.html", "report.md"}
    assert sent["url"] == f"{server}/#/experiments/{parent['info']['experiment_id']}/runs/{sent['run']}"
    assert list(sent["tasks"]) == ["spam", "reviews"]
    spam = read_run(server, sent["tasks"]["spam"]["run"])
    tags = {item["key"]: item["value"] for item in spam["data"]["tags"]}
    assert tags["mlflow.parentRunId"] == sent["run"]
    assert tags["model.sha256"] == sha256(results["model"] / "spam/model.safetensors")
    assert {item["key"]: item["value"] for item in spam["data"]["params"]} == {
        "encoder": "raw/minilm", "finetune.epochs": "3", "finetune.learning_rate": "0.0003",
    }  # fmt: skip
    metrics = {item["key"]: item["value"] for item in spam["data"]["metrics"]}
    assert metrics["test/accuracy"] == 0.9
    assert metrics["validation/accuracy"] == 0.9
    assert "test/gain_low" not in metrics
    curve = httpx.get(
        f"{server}/api/2.0/mlflow/metrics/get-history",
        params={"run_id": spam["info"]["run_id"], "metric_key": "curve/validation/accuracy"}, timeout=60,
    ).json()["metrics"]  # fmt: skip
    assert [(int(point["step"]), point["value"]) for point in curve] == [(1, 0.7), (2, 0.9)]


def test_the_experiment_is_that_of_the_environment_and_no_password_is_written_down(server, results, tmp_path):
    address = server.replace("//", "//me:secret@")
    tracking = tmp_path / "tracking.json"
    sent = track(results, tracking, MLFLOW_TRACKING_URI=address, MLFLOW_EXPERIMENT_NAME="Others")
    assert "secret" not in tracking.read_text()
    experiment = httpx.get(
        f"{server}/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "Others"}, timeout=60
    ).json()["experiment"]
    assert read_run(server, sent["run"])["info"]["experiment_id"] == experiment["experiment_id"]


def test_a_server_that_is_not_named_or_does_not_answer_is_a_fault_of_the_environment(results, tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="pip install mlflow-skinny")
    params = TrackParams(tracker="mlflow", title="Texts", tasks={"spam": SETTINGS})
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(EnvironmentFault, match="MLFLOW_TRACKING_URI is not set"):
        run(params, **results, tracking=tmp_path / "tracking.json")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(EnvironmentFault, match="not sent"):
        run(params, **results, tracking=tmp_path / "tracking.json")
    assert not (tmp_path / "tracking.json").exists()


def test_without_the_package_the_error_says_how_to_install_it(results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)  # as if it were not installed
    params = TrackParams(tracker="mlflow", title="Texts", tasks={"spam": SETTINGS})
    with pytest.raises(EnvironmentFault, match="pip install mlflow-skinny"):
        run(params, **results, tracking=tmp_path / "tracking.json")
