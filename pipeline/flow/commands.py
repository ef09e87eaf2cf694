"""The commands `plan`, `run`, `up` and `down`: a plan printed, a run under Prefect, and Prefect's service."""

import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.core.errors import FAULT_CODE, PipelineError, Stopped
from pipeline.flow.settings import make_run_environment
from pipeline.repository.lock_file import repair
from pipeline.repository.plan import (
    PlannedStage,
    list_affected,
    plan_to_json,
    plan_to_markdown,
    plan_to_text,
    require_inputs,
    summarize_plan,
)
from pipeline.repository.planner import plan_stages

FAILED = 1
# A flow that ends with a PipelineError has its class name as the name of its state, one with another error this.
EXIT_CODES = {kind.__name__: kind.exit_code for kind in PipelineError.__subclasses__()} | {
    "Broken": FAULT_CODE,
    "Crashed": FAULT_CODE,
}
FORMS: dict[str, Callable[[Sequence[PlannedStage]], str]] = {
    "text": plan_to_text,
    "md": plan_to_markdown,
    "json": lambda plan: json.dumps(plan_to_json(plan), indent=1, default=str),
}


def print_plan(targets: Sequence[str], form: str) -> int:
    """Print what a run of the targets would do, as `text`, `json` or `md`; return 1 if it would do anything, else 0.

    Raises:
        UsageError: A target is unknown, or inputs are not there.
        EnvironmentFault: There is no DVC repository.
    """
    plan = plan_stages(targets)
    print(FORMS[form](plan))
    require_inputs(plan)
    return int(bool(list_affected(plan)))


def run_affected(targets: Sequence[str], workers: int | None, *, fail_fast: bool, on: str | None) -> int:
    """Run the affected stages among the targets, if any, as a Prefect flow, and return the exit code.

    Those that compute run on the workers of the Dask scheduler at the address `on`, if that is given.

    It is 0, 1 if a stage failed, 143 if the run was cancelled, and that of the error if nothing could begin (75:
    another run uses this workspace), or if the run broke (70).

    Raises:
        UsageError: A target or the number of workers is invalid, or inputs are not there.
        EnvironmentFault: There is no DVC repository.
    """
    for line in repair():
        print(line, file=sys.stderr)
    plan = plan_stages(targets)
    if not list_affected(plan):  # worth neither a server nor the second that importing Prefect takes
        print(f"nothing changed: {summarize_plan(plan)}", file=sys.stderr)
        return 0
    require_inputs(plan)
    os.environ.update(make_run_environment(os.environ))
    importlib.import_module("pipeline.flow.server").provide_server()
    flow = importlib.import_module("pipeline.flow.flow").transferline
    state: Any = flow(list(targets), workers, fail_fast, on=on, return_state=True)
    print(state.message or state.name, file=sys.stderr)
    if state.is_completed():
        return 0
    return EXIT_CODES.get(state.name, Stopped.exit_code if state.is_cancelled() else FAILED)


def serve_flow(port: int) -> None:
    """Start Prefect's server on a port of this machine, the deployments and a worker.

    Raises:
        UsageError: The service runs already.
        EnvironmentFault: A part did not start.
    """
    for line in importlib.import_module("pipeline.flow.service").start_service(port):
        print(line, flush=True)


def stop_serving() -> None:
    """Stop what `up` has started."""
    for line in importlib.import_module("pipeline.flow.service").stop_service():
        print(line, flush=True)
