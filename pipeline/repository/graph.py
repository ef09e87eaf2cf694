"""The graph of DVC's stages, by name."""

from pipeline.repository.access import open_repository


def stage_needs() -> dict[str, frozenset[str]]:
    """Return the names of the stages that each stage of the working directory's project needs directly.

    Raises:
        UsageError: dvc.yaml or another file of DVC is broken.
        EnvironmentFault: There is no DVC repository.
    """
    with open_repository() as repo:
        graph = repo.index.graph
        return {stage.addressing: frozenset(need.addressing for need in graph.successors(stage)) for stage in graph}
