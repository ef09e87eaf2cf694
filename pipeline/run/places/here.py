"""This machine as the place of stages."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.repository.plan import PlannedStage
from pipeline.run.process import PYTHON, StageProcess

REPRO = (PYTHON, "-m", "dvc", "--wait-for-lock", "repro", "--single-item")


def start_here(stage: PlannedStage, environment: Mapping[str, str]) -> StageProcess:
    """Start a stage as `dvc repro --single-item` in the working directory, with additional environment variables."""
    return StageProcess([*REPRO, stage.name], Path.cwd(), environment, timeout=stage.timeout)
