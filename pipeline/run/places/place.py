"""The place where the stages of a run are started: this machine, or a Dask cluster beside it."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from pipeline.core.errors import EnvironmentFault
from pipeline.repository.plan import PlannedStage
from pipeline.run.execution import StageJob
from pipeline.run.places.here import start_here


class StagePlace(NamedTuple):
    """How a stage is started, with additional environment variables, and how many can run elsewhere at a time."""

    start: Callable[[PlannedStage, Mapping[str, str]], StageJob]
    elsewhere: int = 0


@contextmanager
def open_place(address: str | None) -> Iterator[StagePlace]:
    """Yield this machine as a place, together with the Dask cluster whose scheduler is at `address`, if that is given.

    Raises:
        UsageError: The address is none, or code was changed since the last commit.
        EnvironmentFault: Dask is not installed, or the cluster cannot be used; the message says why.
    """
    if address is None:
        yield StagePlace(start_here)
        return
    try:
        cluster = importlib.import_module("pipeline.run.places.cluster")
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"--on {address}: {error.name} is not installed. Run `pip install --constraint requirements.lock "
            "'.[machines]'`, then run again."
        ) from error
    with cluster.open_cluster(address) as opened:
        yield StagePlace(opened.start, opened.size)
