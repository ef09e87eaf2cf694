"""A search as a study file of Optuna, which optuna-dashboard opens."""

from os.path import lexists
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial
from pydantic import TypeAdapter

from pipeline.core.document import Document, json_text
from pipeline.core.errors import DataError, UsageError
from pipeline.core.files import publish
from pipeline.search.sampler import freeze_trials
from pipeline.search.trials import Trial
from pipeline.settings.search.space import Space


def write_study(path: Path, task: str, results: Document) -> int:
    """Write the trials of a search, by its `results`, as a study named as the task; return how many they are.

    Raises:
        UsageError: The file is there.
        DataError: These are not the results of a search.
        EnvironmentFault: The file cannot be written.
    """
    if lexists(path):
        raise UsageError(f"{path}: is there already. Name another file.")
    try:
        trials, lower = _read_trials(results), results["lower_is_better"]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"data/searched/{task}.json: not the results of a search, {error!r}. Run `dvc repro search@{task}` again."
        ) from error
    with publish(path) as partial:
        storage = JournalStorage(JournalFileBackend(str(partial)))
        study = optuna.create_study(storage=storage, study_name=task, direction="minimize" if lower else "maximize")
        study.add_trials(trials)
    return len(trials)


def _read_trials(results: Document) -> list[FrozenTrial]:
    space = TypeAdapter(Space).validate_json(json_text(results["space"]))
    trials = [Trial(**document) for document in results["trials"]]
    return freeze_trials(space, trials, lower=results["lower_is_better"])
