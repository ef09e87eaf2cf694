"""Live curves: a training's losses and scores by step, in files that grow as it learns, as dvclive writes them.

They are no output of a stage, so nothing depends on them; dvc.yaml names their folder among its plots.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import publish, remove
from pipeline.train.training import Training

SUFFIX = ".tsv"
OTHERS = ("step", "epoch", "learning_rate", "train_loss")  # of an evaluation: what is no score on validation


class LiveCurves:
    """The curves of a training, a file for each name; after the first write that fails nothing more is written."""

    def __init__(self, folder: Path | None) -> None:
        """Write to `folder`, which belongs to this training; nothing at all if it is None."""
        self._folder = folder

    def cut(self, step: int) -> str | None:
        """Remove what was written after `step`, everything if that is 0; return why that failed, if it did."""
        if self._folder is None:
            return None
        try:
            if step == 0:
                remove(self._folder)
            for path in sorted(self._folder.rglob(f"*{SUFFIX}")):
                kept = cut_rows(path.read_text(encoding="utf-8"), step)
                with publish(path) as partial:
                    partial.write_text(kept, encoding="utf-8")
        except (EnvironmentFault, OSError, ValueError) as error:  # no training ends for want of its picture
            return self._give_up(error)
        return None

    def add(self, step: int, values: Mapping[str, float]) -> str | None:
        """Append the values of a step, by name (`validation/loss`); return why that failed, if it did."""
        if self._folder is None:
            return None
        try:
            for name, value in values.items():
                _append(self._folder / f"{name}{SUFFIX}", step, value)
        except OSError as error:
            return self._give_up(error)
        return None

    def _give_up(self, error: Exception) -> str:
        message, self._folder = f"no live curves in {self._folder}: {error}", None
        return message


def cut_rows(text: str, step: int) -> str:
    """Return a curve's header and its rows up to `step`; a line without its end was not written whole and goes.

    Raises:
        ValueError: A row does not begin with a step.
    """
    lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return "".join(lines[:1] + [row for row in lines[1:] if int(row.partition("\t")[0]) <= step])


def read_values(training: Training) -> dict[str, float]:
    """Return what the last step has brought: the mean of the losses since the last row, scores, or nothing.

    It is the same whether or not checkpoints were written, which read the losses too.
    """
    if training.due:
        return {}
    if training.evaluations and training.evaluations[-1].step == training.done:
        return {"train/loss": training.loss_at_evaluation} | name_scores(training.evaluations[-1]._asdict())
    return {"train/loss": training.loss} if training.read_in_turn and training.loss is not None else {}


def name_scores(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers on validation of an evaluation, by the names of their curves."""
    scores = {f"validation/{key}": value for key, value in evaluation.items() if key not in OTHERS}
    return {name: value for name, value in scores.items() if isinstance(value, int | float)}


def _append(path: Path, step: int, value: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="\n") as stream:
        header = "" if stream.tell() else f"step\t{path.stem}\n"
        stream.write(f"{header}{step}\t{value!r}\n")
