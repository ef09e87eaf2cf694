"""The graph of DVC's stages, by name."""

from pathlib import Path

from dvc.exceptions import DvcException

from pipeline.core.errors import EnvironmentFault
from pipeline.repository.access import open_repository


def stage_needs() -> dict[str, frozenset[str]]:
    """Return the names of the stages that each stage of the working directory's project needs directly.

    Raises:
        EnvironmentFault: There is no DVC repository, or dvc.yaml cannot be read.
    """
    try:
        with open_repository() as repo:
            graph = repo.index.graph
            return {stage.addressing: frozenset(need.addressing for need in graph.successors(stage)) for stage in graph}
    except DvcException as error:
        raise EnvironmentFault(f"{Path.cwd()}: dvc.yaml could not be read, {error}. Correct the file.") from error
