"""The commands `plan`, `run`, `serve` and `down`: a plan printed, a run under Prefect, and Prefect's service."""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from pipeline.core.command_line import Parser
from pipeline.core.errors import FAULT_CODE, PipelineError, Stopped
from pipeline.flow.settings import make_run_environment
from pipeline.repository.plan import (
    list_affected,
    plan_to_json,
    plan_to_markdown,
    plan_to_text,
    require_inputs,
    summarize_plan,
)

FAILED = 1
# A flow that ends with a PipelineError has its class name as the name of its state, one with another error this.
EXIT_CODES = {kind.__name__: kind.exit_code for kind in PipelineError.__subclasses__()} | {
    "Broken": FAULT_CODE,
    "Crashed": FAULT_CODE,
}


def plan_command(words: Sequence[str]) -> int:
    """Print what a run of the targets would do; return 1 if it would do anything, else 0.

    Raises:
        UsageError: An argument or a target is unknown, or inputs are not there.
        EnvironmentFault: There is no DVC repository.
    """
    parser = Parser(prog="python -m pipeline plan", description="Print what a run would do, and why.")
    _add_targets(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_const", dest="form", const="json", help="all stages as JSON")
    form.add_argument("--md", action="store_const", dest="form", const="md", help="the affected stages as Markdown")
    arguments = parser.parse_args(words)
    plan = importlib.import_module("pipeline.repository.planner").plan_stages(arguments.targets)
    if arguments.form == "json":
        print(json.dumps(plan_to_json(plan), indent=1, default=str))
    else:
        print(plan_to_markdown(plan) if arguments.form == "md" else plan_to_text(plan))
    require_inputs(plan)
    return int(bool(list_affected(plan)))


def run_command(words: Sequence[str]) -> int:
    """Run the affected stages among the targets, if any, as a Prefect flow, and return the exit code.

    It is 0, 1 if a stage failed, 143 if the run was cancelled, and that of the error if nothing could begin (75:
    another run uses this workspace), or if the run broke (70).

    Raises:
        UsageError: An argument or a target is unknown or invalid, or inputs are not there.
        EnvironmentFault: There is no DVC repository.
    """
    parser = Parser(prog="python -m pipeline run", description="Run the affected stages in parallel, under Prefect.")
    _add_targets(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="stages in parallel (default: the number of cores)")
    after = parser.add_mutually_exclusive_group()
    after.add_argument(
        "--keep-going", dest="fail_fast", action="store_false", help="after a failure, finish what can be (default)"
    )
    after.add_argument("--fail-fast", action="store_true", help="stop everything as soon as a stage fails")
    parser.set_defaults(fail_fast=False)
    arguments = parser.parse_args(words)
    for line in importlib.import_module("pipeline.repository.lock_file").repair():
        print(line, file=sys.stderr)
    plan = importlib.import_module("pipeline.repository.planner").plan_stages(arguments.targets)
    if not list_affected(plan):  # worth neither a server nor the second that importing Prefect takes
        print(f"nothing changed: {summarize_plan(plan)}", file=sys.stderr)
        return 0
    require_inputs(plan)
    os.environ.update(make_run_environment(os.environ))
    importlib.import_module("pipeline.flow.server").provide_server()
    flow = importlib.import_module("pipeline.flow.flow").transferline
    state: Any = flow(arguments.targets, arguments.workers, arguments.fail_fast, return_state=True)
    print(state.message or state.name, file=sys.stderr)
    if state.is_completed():
        return 0
    return EXIT_CODES.get(state.name, Stopped.exit_code if state.is_cancelled() else FAILED)


def serve_command(words: Sequence[str]) -> None:
    """Start Prefect's server, the deployments and a worker on this machine.

    Raises:
        UsageError: An argument is unknown, or the service runs already.
        EnvironmentFault: A part did not start.
    """
    parser = Parser(prog="python -m pipeline serve", description="Start server, deployments and worker.")
    parser.add_argument("--port", type=int, default=4200, help="port of the server on 127.0.0.1 (default: 4200)")
    port = parser.parse_args(words).port
    for line in importlib.import_module("pipeline.flow.service").start_service(port):
        print(line, flush=True)


def down_command(words: Sequence[str]) -> None:
    """Stop what `serve` has started.

    Raises:
        UsageError: An argument is given.
    """
    Parser(prog="python -m pipeline down", description="Stop what `serve` has started.").parse_args(words)
    for line in importlib.import_module("pipeline.flow.service").stop_service():
        print(line, flush=True)


def _add_targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="*", help="stages, with all stages they depend on (default: everything)")
