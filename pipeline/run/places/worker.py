"""A Dask worker's part in a run: a stage at a time in a clone of its own, given up when the run gives it up.

All that passes through Dask is text, numbers and bytes.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from dask import config
from distributed import Worker, get_worker

from pipeline.core.command import read_output
from pipeline.core.errors import EnvironmentFault, PipelineError
from pipeline.core.files import read_json, remove
from pipeline.repository.delegation.order import DELIVERY_FILE, FAULT_FILE, ORDER_FILE
from pipeline.run.ending import StageEnd
from pipeline.run.places.clones import hold_clone
from pipeline.run.places.code import ProjectCode, lay_code
from pipeline.run.places.versions import list_versions, require_versions
from pipeline.run.process import PYTHON, StageProcess

REPRODUCTION = (PYTHON, "-m", "pipeline.run.places.reproduction")
_SECONDS_BETWEEN_LOOKS = 0.5
RUNNING = ("executing", "long-running")  # the states of a task that nobody has given up


def reproduce_on_worker(
    stage: str,
    order: bytes,
    code: tuple[str, bytes],
    versions: Mapping[str, str],
    topic: str,
    timeout: float | None,
) -> tuple[dict[str, Any], bytes, str]:
    """Reproduce an ordered stage; return the fields of its end, its delivery (empty if there is none), and the machine.

    Each line of its output is an event of `topic` at the scheduler.
    """
    worker, machine, delivery = get_worker(), platform.node(), b""
    key, clones = str(worker.get_current_task()), Path(worker.local_directory).resolve().parent / "transferline"

    def say(line: str) -> None:
        worker.log_event(topic, {"key": key, "line": line})

    try:
        _forget_environment()
        require_versions(versions, list_versions(), machine)
        with hold_clone(clones, stage) as (clone, lock):
            say(f"on {machine}, in {clone}")
            lay_code(ProjectCode(*code), clone, clone.parent / "cache")
            process = _start(order, clone, lock, timeout)
            with _stop_if_given_up(worker, key, process):
                end = process.follow(say)
            end, delivery = _read_outcome(end, clone)
    except PipelineError as error:
        end = StageEnd("Failed", error.exit_code, str(error))
    except OSError as error:  # a full disk, say
        why = f"{machine}: {clones} cannot be used, {error}. Free space or correct permissions there, then run again."
        end = StageEnd("Failed", EnvironmentFault.exit_code, why)
    return end._asdict(), delivery, machine


def _start(order: bytes, clone: Path, lock: int, timeout: float | None) -> StageProcess:
    """Start the reproduction, which holds the lock of the clone as long as anything of it runs."""
    for file in (ORDER_FILE, DELIVERY_FILE, FAULT_FILE):
        remove(clone / file)
    (clone / ORDER_FILE).parent.mkdir(parents=True, exist_ok=True)
    (clone / ORDER_FILE).write_bytes(order)
    return StageProcess(REPRODUCTION, clone, {}, timeout=timeout, kept_open=[lock])


def _forget_environment() -> None:
    """Remove what a worker has inherited: Dask's limits of threads, and the repository in which Git was at work."""
    for name in read_output(["git", "rev-parse", "--local-env-vars"]).split():
        os.environ.pop(name, None)
    for name, value in config.get("distributed.nanny.pre-spawn-environ").items():
        if os.environ.get(name) == str(value):
            del os.environ[name]


def _read_outcome(end: StageEnd, clone: Path) -> tuple[StageEnd, bytes]:
    """Return the end of the stage, with what the reproduction says of a failure, and the delivery."""
    if end.succeeded:
        return end, (clone / DELIVERY_FILE).read_bytes()
    if end.state == "Failed" and (clone / FAULT_FILE).is_file():
        return StageEnd("Failed", **read_json(clone / FAULT_FILE)), b""
    return end, b""


@contextmanager
def _stop_if_given_up(worker: Worker, key: str, process: StageProcess) -> Iterator[None]:
    """Stop the process once Dask has given up its task: the run was cancelled, or whoever drives it is gone."""
    ended = Event()

    def watch() -> None:
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            task = worker.state.tasks.get(key)
            if task is None or task.state not in RUNNING:
                process.stop()
                return

    Thread(target=watch, name="task watcher", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
