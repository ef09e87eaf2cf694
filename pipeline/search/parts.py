"""The parts of a training: a pause once a share of its updates is made, and a checkpoint from which it goes on."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from pipeline.core.files import publish, remove, write_json
from pipeline.train.checkpoints import write_checkpoint
from pipeline.train.objective import Step
from pipeline.train.training import Training

_SUMMARY = "checkpoint.json"  # so that a folder without a checkpoint is not empty


class Paused(Exception):
    """A training has reached the end of its part."""


def pause_at(training: Training, share: float) -> None:
    """Make a training raise `Paused` in place of its next update, once a share of all is made and evaluated.

    So it pauses with the first evaluation after that share, and has the state of a training without a pause.
    """
    objective, most = training.objective, math.ceil(share * len(training.steps))

    def count_losses(model: Any, train: Any, prepared: Any, step: Step, *more: Any) -> Iterator[torch.Tensor]:
        done = step.number - 1
        if done >= most and training.steps[done - 1].evaluate:
            raise Paused
        return objective.losses(model, train, prepared, step, *more)

    training.objective = objective._replace(losses=count_losses)


def write_pause(training: Training, work: Path, key: str) -> None:
    """Write the checkpoint of a training that has paused.

    Raises:
        EnvironmentFault: The disk is full or read-only.
    """
    write_checkpoint(work / key, training.state(), key=key)


def locate_work(result: Path, start: Path) -> Path:
    """Return the folder of the checkpoints of a training under way, by its result and the start of its search.

    It lies outside the folders of the results, on which later stages depend.
    """
    search = start.parent
    return search / f"{'-'.join(result.relative_to(search).with_suffix('').parts)}.checkpoints"


def continue_from(before: Path, work: Path) -> None:
    """Copy the checkpoint of the part before, unless this part was under way already."""
    if not work.exists():
        with publish(work) as partial:
            shutil.copytree(before, partial)


def publish_checkpoint(checkpoint: Path, work: Path) -> None:
    """Publish the newest checkpoint of a training that has paused, then remove the folder of its work.

    Of a training that has ended, which has none, there is only a file that says so.
    """
    folders = sorted(path.parent for path in work.glob("*/*/manifest.json"))
    with publish(checkpoint) as partial:
        partial.mkdir()
        write_json(partial / _SUMMARY, {"paused": bool(folders)})
        if folders:
            shutil.copy(work / "choice.json", partial)
            shutil.copytree(folders[-1], partial / folders[-1].relative_to(work))
    remove(work)
