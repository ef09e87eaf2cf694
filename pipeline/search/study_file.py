"""A search as a study file of Optuna, which optuna-dashboard opens."""

from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from pipeline.core.errors import UsageError
from pipeline.search.sampler import rebuild_study
from pipeline.search.trials import Trial
from pipeline.settings.search.sections import SpaceParams


def write_study(path: Path, params: SpaceParams, trials: Sequence[Trial]) -> None:
    """Write the trials as a study, named as the task, into a new journal file.

    Raises:
        UsageError: The file is there.
    """
    if path.exists():
        raise UsageError(f"{path}: is there already. Name another file.")
    study = rebuild_study(params, trials, seed=params.seed)
    storage = JournalStorage(JournalFileBackend(str(path)))
    optuna.create_study(storage=storage, study_name=params.task, direction=study.direction).add_trials(study.trials)
