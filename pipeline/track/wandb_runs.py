"""Weights & Biases' runs of a pipeline run: one with the report, and one for each task, in a group.

Its own library finds the server, the login and the mode by its environment variables, and the commit by Git.
"""

import importlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.core.document import Document
from pipeline.core.errors import EnvironmentFault
from pipeline.track.task_record import TaskRecord

REFUSED = re.compile(r"[/\\#?%:]")  # in the name of a project
LONGEST_NAME = 128  # of a project


def send_to_wandb(
    title: str, records: Sequence[TaskRecord], *, files: Iterable[Path], models: Mapping[str, Mapping[str, str]]
) -> Document:
    """Send a run with `files` as its artifact and a run for each record in its group; return their ids and addresses.

    `models` are the values of each task that say which model it is. The project is WANDB_PROJECT, or else `title`. In
    W&B's offline mode the runs are in the folder `wandb`, without addresses. A run that could not be sent whole ends as
    failed.

    Raises:
        EnvironmentFault: The package is not installed, it is switched off, or its server does not answer or refuses.
    """
    wandb = _load_wandb()
    project = os.environ.get("WANDB_PROJECT") or REFUSED.sub("-", title)[:LONGEST_NAME]
    try:
        with _start(wandb, project, title, job_type="report") as parent:
            artifact = wandb.Artifact("report", type="report")
            for path in files:
                artifact.add_file(str(path))
            parent.log_artifact(artifact)
        runs = {}
        for record in records:
            config = {**record.params, **models[record.name]}
            with _start(wandb, project, record.name, job_type="task", group=parent.id, config=config) as run:
                _log(run, record)
            runs[record.name] = _locate(run)
    except (wandb.errors.Error, OSError) as error:
        reason = " ".join(str(error).split())
        raise EnvironmentFault(f"W&B: not sent, {reason}. Check the login and WANDB_BASE_URL, run again.") from error
    return {"tracker": "wandb", **_locate(parent), "tasks": runs}


def _load_wandb() -> ModuleType:
    try:
        # By name, since it is an extra: the fingerprint of a stage wants what is imported by a statement to be locked.
        return importlib.import_module("wandb")
    except ImportError as error:
        raise EnvironmentFault("W&B: not installed. Run `pip install wandb`.") from error


def _start(wandb: ModuleType, project: str, name: str, **words: Any) -> Any:
    """Start a run; it sends neither the output of this process nor its use of the machine, code or uncommitted edits.

    Raises:
        EnvironmentFault: Runs are switched off.
    """
    settings = wandb.Settings(silent=True, console="off", disable_code=True, x_disable_stats=True)
    run = wandb.init(project=project, name=name, settings=settings, **words)
    if run.disabled:
        raise EnvironmentFault("W&B: switched off by WANDB_MODE. Unset it, or set it to `online` or `offline`.")
    return run


def _log(run: Any, record: TaskRecord) -> None:
    for step, scores in record.curves.items():
        run.log(scores, step=step)
    run.summary.update(record.metrics)


def _locate(run: Any) -> Document:
    """Return the id of a run and its address on the server."""
    return {"run": run.id, "url": None if run.offline else run.url}
