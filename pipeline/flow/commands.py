"""`python -m pipeline plan` and `python -m pipeline run`: what would run, and running it under Prefect."""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from pipeline.core.errors import PipelineError, Stopped, UsageError
from pipeline.flow.settings import SECRET, of_a_run
from pipeline.repository.plan import affected, document, markdown, table, totals

FAILED = 1
# A flow that ends with one of the errors a person can act on has its name.
CODES = {kind.__name__: kind.exit_code for kind in PipelineError.__subclasses__()}


class _Parser(argparse.ArgumentParser):
    """A parser that reports like everything else here."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}")


def plan(words: Sequence[str]) -> int:
    """Print what a run of the targets would do; return 1 if anything, 0 if nothing.

    Raises:
        UsageError: A word or a target is unknown.
    """
    parser = _Parser(prog="python -m pipeline plan", description="What a run would do, and why.")
    parser.add_argument("targets", nargs="*", help="stages, with all before them; everything, if none is named")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_const", dest="form", const="json", help="all stages as JSON")
    form.add_argument("--md", action="store_const", dest="form", const="md", help="the affected ones as Markdown")
    given = parser.parse_args(words)
    steps = importlib.import_module("pipeline.repository.planner").plan(given.targets)
    print(
        json.dumps(document(steps), indent=1)
        if given.form == "json"
        else markdown(steps)
        if given.form == "md"
        else table(steps)
    )
    return int(bool(affected(steps)))


def run(words: Sequence[str]) -> int:
    """Run what is affected of the targets as a Prefect flow, if anything is, and return the exit code.

    It is 0, 1 if a stage failed, 143 if the run was cancelled, and that of the error where nothing could begin (75:
    another run has this workspace).

    Raises:
        UsageError: A word is unknown.
    """
    parser = _Parser(
        prog="python -m pipeline run", description="Run what is affected, beside each other, under Prefect."
    )
    parser.add_argument("targets", nargs="*", help="stages, with all before them; everything, if none is named")
    parser.add_argument("--workers", type=int, metavar="N", help="stages beside each other (default: the cores)")
    after = parser.add_mutually_exclusive_group()
    after.add_argument("--keep-going", dest="fail_fast", action="store_false", help="finish what can be (the default)")
    after.add_argument("--fail-fast", action="store_true", help="stop everything when a stage fails")
    parser.set_defaults(fail_fast=False)
    given = parser.parse_args(words)
    if given.workers is not None and given.workers < 1:
        raise UsageError(f"--workers {given.workers} must be at least 1")
    importlib.import_module("pipeline.repository.lock_file").mend()
    steps = importlib.import_module("pipeline.repository.planner").plan(given.targets)
    if not affected(steps):  # not worth a server's time, nor Prefect's second to be imported
        print(f"nothing changed: {totals(steps)}", file=sys.stderr)
        return 0
    os.environ.update(of_a_run(os.environ))
    flow = importlib.import_module("pipeline.flow.flow").transferline
    state: Any = flow(given.targets, given.workers, given.fail_fast, return_state=True)
    print(state.message or state.name, file=sys.stderr)
    if state.is_completed():
        return 0
    return CODES.get(state.name, Stopped.exit_code if state.is_cancelled() else FAILED)


def serve(words: Sequence[str]) -> None:
    """Start Prefect's server, the deployments and a worker on this machine.

    Raises:
        UsageError: A word is unknown, or it runs already.
        EnvironmentFault: A part did not start.
    """
    parser = _Parser(prog="python -m pipeline serve", description="Start server, deployments and worker.")
    parser.add_argument("--port", type=int, default=4200, help="of the server on 127.0.0.1 (default 4200)")
    url = importlib.import_module("pipeline.flow.service").serve(parser.parse_args(words).port)
    print(f"{url} shows the runs; log in with what {SECRET} holds. `make down` stops it.")


def down(words: Sequence[str]) -> None:
    """Stop what `serve` started.

    Raises:
        UsageError: A word is given.
    """
    _Parser(prog="python -m pipeline down", description="Stop what `serve` started.").parse_args(words)
    print("stopped" if importlib.import_module("pipeline.flow.service").down() else "nothing was running")
