"""The commands around a search: `budget`, `adopt` and `export-study`."""

import importlib
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup
from pipeline.core.command_line import PATH

SEARCH = CommandGroup("Search")


@SEARCH.command()
@click.option("--trials", type=click.IntRange(1), metavar="N", help="Trials of each task.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="N", help="Minutes of the whole search.")
def budget_command(trials: int | None, minutes: float | None) -> None:
    """Write the rounds of the search that fit a budget.

    They go into params.yaml; trials are rounded up to whole rounds. Minutes are of one stage at a time, by the
    durations of trainings on this machine; several workers take less.

    Raises:
        UsageError: There is no search, or no round fits.
        EnvironmentFault: params.yaml cannot be read or written.
    """
    print(importlib.import_module("pipeline.project.budget").set_budget(trials=trials, minutes=minutes))


@SEARCH.command()
@click.argument("task")
def adopt_command(task: str) -> None:
    """Write the values that a search has chosen into params.yaml.

    Those of TASK become keys of `tasks.TASK.finetune`, those before them `search.tasks.TASK.default`; comments stay.

    Raises:
        UsageError: The new params.yaml is not valid.
        DataError: The results are not those of a search.
        EnvironmentFault: There are no results, or params.yaml cannot be read or written.
    """
    print(importlib.import_module("pipeline.project.adopt").adopt_values(task))


@SEARCH.command("export-study")
@click.argument("task")
@click.argument("file", type=PATH)
def export_study_command(task: str, file: Path) -> None:
    """Write the trials of TASK as a study of Optuna.

    FILE is a new journal, which `optuna-dashboard FILE` opens.

    Raises:
        UsageError: FILE is there already.
        DataError: The results are not those of a search.
        EnvironmentFault: There are no results, or FILE cannot be written.
    """
    results = importlib.import_module("pipeline.project.adopt").read_results(task)
    trials = importlib.import_module("pipeline.search.study_file").write_study(file, task, results)
    print(f"{trials} trials are in {file}; `optuna-dashboard {file}` shows them")
