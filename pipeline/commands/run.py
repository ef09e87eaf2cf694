"""The commands that run the pipeline: `run`, and the service behind schedules."""

import importlib

import click

from pipeline.commands.group import CommandGroup, targets_argument

RUN = CommandGroup("Run")


@RUN.command()
@targets_argument
@click.option("--workers", type=int, metavar="N", help="Stages in parallel (default: the number of cores).")
@click.option(
    "--fail-fast/--keep-going", help="After a failure, stop everything, or finish what can be (default: the latter)."
)
@click.option("--on", metavar="ADDRESS", help="Dask scheduler whose workers run what computes, as tcp://HOST:8786.")
def run_command(targets: tuple[str, ...], workers: int | None, fail_fast: bool, on: str | None) -> int:
    """Run the affected stages in parallel, under Prefect.

    A TARGET is a stage, with all stages it depends on (default: everything).
    """
    commands = importlib.import_module("pipeline.flow.commands")
    code: int = commands.run_affected(targets, workers, fail_fast=fail_fast, on=on)
    return code


@RUN.command()
@click.option("--port", type=int, default=4200, show_default=True, help="Port of the server on 127.0.0.1.")
def up_command(port: int) -> None:
    """Start Prefect's server, the schedules and a worker."""
    importlib.import_module("pipeline.flow.commands").serve_flow(port)


@RUN.command()
def down_command() -> None:
    """Stop what `up` has started."""
    importlib.import_module("pipeline.flow.commands").stop_serving()
