"""MLflow's runs of a pipeline run: one for all tasks, with the report, and one nested in it for each task.

MLflow's own client finds the server and the experiment by its environment variables, and the commit by Git.
"""

import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from pipeline.core.document import Document
from pipeline.core.errors import EnvironmentFault
from pipeline.track.task_record import TaskRecord, to_text

EXPERIMENT = ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID")


def send_to_mlflow(
    title: str, records: Sequence[TaskRecord], *, files: Iterable[Path], models: Mapping[str, Mapping[str, str]]
) -> Document:
    """Send a run with `files` as its artifacts and a nested run for each record; return their ids and addresses.

    `models` are the tags of each task that say which model it is. If neither MLFLOW_EXPERIMENT_NAME nor
    MLFLOW_EXPERIMENT_ID is set, the experiment is `title`. A run that could not be sent whole ends as failed.

    Raises:
        EnvironmentFault: MLflow is not installed, or its server is not named, does not answer or refuses.
    """
    mlflow = _load_mlflow()
    try:
        if not any(name in os.environ for name in EXPERIMENT):
            mlflow.set_experiment(title)
        with mlflow.start_run(run_name=title) as parent:
            for path in files:
                mlflow.log_artifact(str(path))
            runs = {record.name: _send_record(mlflow, record, models[record.name]) for record in records}
    except (mlflow.exceptions.MlflowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise EnvironmentFault(f"MLflow: not sent, {reason}. Check MLFLOW_TRACKING_URI, then run again.") from error
    return {"tracker": "mlflow", **_locate(mlflow, parent), "tasks": runs}


def _load_mlflow() -> ModuleType:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it is read as the package is imported
    try:
        # By name, since it is an extra: the fingerprint of a stage wants what is imported by a statement to be locked.
        mlflow = importlib.import_module("mlflow")
    except ImportError as error:
        raise EnvironmentFault("MLflow: not installed. Run `pip install mlflow-skinny`.") from error
    if not mlflow.is_tracking_uri_set():
        raise EnvironmentFault("MLflow: no server, MLFLOW_TRACKING_URI is not set. Set it to the server's address.")
    return mlflow


def _send_record(mlflow: ModuleType, record: TaskRecord, model: Mapping[str, str]) -> Document:
    with mlflow.start_run(run_name=record.name, nested=True, tags={"task": record.name, **model}) as run:
        mlflow.log_params({key: to_text(value) for key, value in record.params.items()})
        mlflow.log_metrics(record.metrics)
        for step, scores in record.curves.items():
            mlflow.log_metrics(scores, step=step)
    return _locate(mlflow, run)


def _locate(mlflow: ModuleType, run: Any) -> Document:
    """Return the id of a run and its address on the server; an address is written to Git, so it has no password."""
    server = urlsplit(mlflow.get_tracking_uri())
    page = f"{server.scheme}://{server.netloc.rpartition('@')[2]}{server.path.rstrip('/')}/#/experiments"
    shown = server.scheme in ("http", "https")
    return {
        "run": run.info.run_id,
        "url": f"{page}/{run.info.experiment_id}/runs/{run.info.run_id}" if shown else None,
    }
