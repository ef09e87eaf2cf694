"""The commands around a search: `budget`, `adopt` and `export-study`."""

import importlib
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup
from pipeline.core.command_line import PATH
from pipeline.core.files import read_json
from pipeline.core.stage import stage_params

SEARCH = CommandGroup("Search")
RESOLVED = Path("data/params.json")


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

    Those of TASK become keys of `tasks.TASK.finetune`; comments stay.

    Raises:
        UsageError: The new params.yaml is not valid.
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
        UsageError: There is no such search, or FILE is there already.
        EnvironmentFault: There are no results.
    """
    trial = importlib.import_module("pipeline.search.trials").Trial
    read_results = importlib.import_module("pipeline.project.adopt").read_results
    sections = importlib.import_module("pipeline.settings.search.sections")
    params, _ = stage_params(read_json(RESOLVED), "search", task, sections.SearchParams)
    trials = [trial(**document) for document in read_results(task)["trials"]]
    importlib.import_module("pipeline.search.study_file").write_study(file, params, trials)
    print(f"{len(trials)} trials are in {file}; `optuna-dashboard {file}` shows them")
