"""A training run to its end: from the newest good checkpoint, with new ones on the way, whatever kills it."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pipeline.core.errors import EnvironmentFault, Stopped
from pipeline.core.files import remove
from pipeline.core.progress import Progress
from pipeline.models.processes import any_rank, first_then_others, ranks_agree
from pipeline.train.checkpoints import Checkpoint, read_checkpoints, remove_partial, write_checkpoint
from pipeline.train.live import LiveCurves, read_values
from pipeline.train.training import Trained, Training

# One of the default encoder takes about a second and 165 MB, so at this interval checkpoints cost about a percent.
SECONDS_BETWEEN_CHECKPOINTS = 60.0


class StopRequest:
    """Whether this process was asked to stop."""

    made = False


def run_to_end(
    training: Training,
    folder: Path,
    *,
    key: str,
    live: Path | None = None,
    seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
) -> Trained:
    """Train to the end, from the newest checkpoint below `folder` that is whole and has this `key`.

    A checkpoint is written every `seconds`, and when SIGTERM or SIGINT asks to stop. If one cannot be written, a
    message reports it and the training continues. `key` stands for all that the result depends on; checkpoints with
    another key are removed. Live curves grow in the folder `live`, without those of an earlier training.

    Raises:
        Stopped: The process was asked to stop; a checkpoint of the last step is there if it could be written.
        UsageError: A loss is not finite.
        EnvironmentFault: The ranks see different checkpoints.
    """
    own = folder / key
    _resume(training, own)
    written = time.monotonic()
    shown = training.ranks.first
    curves = LiveCurves(live if shown else None)
    with _stop_request() as request, Progress(len(training.steps), done=training.done, shown=shown) as progress:
        training.stop_asked = lambda: any_rank(request.made, training.ranks)
        _say(progress, curves.cut(training.done))
        while not training.finished:
            training.advance()
            _report(training, progress)
            _say(progress, curves.add(training.done, read_values(training)))
            stop = any_rank(request.made, training.ranks)
            kept = True
            if stop or time.monotonic() - written >= seconds:
                kept = _write(training, own, progress)
                written = time.monotonic()
            if stop and not training.finished:
                raise Stopped(_describe_stop(training.done, kept=not any_rank(not kept, training.ranks)))
    return training.result()


def _resume(training: Training, folder: Path) -> None:
    """Restore the newest good checkpoint, remove foreign and half-written ones, and print what was done.

    Raises:
        EnvironmentFault: The ranks see different checkpoints.
    """
    with first_then_others(training.ranks):
        if training.ranks.first:
            _remove_foreign(folder)
            remove_partial(folder)
    for message in _restore(training, folder):
        if training.ranks.first:
            print(message, flush=True)
    if not ranks_agree(training.done, training.ranks):
        raise EnvironmentFault(f"{folder}: the processes of this training see different checkpoints. Run it again.")


def _remove_foreign(folder: Path) -> None:
    """Remove the checkpoints beside `folder`, which have other keys."""
    for other in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if other != folder and other.is_dir():
            print(
                f"Removing {other}: it belongs to a different training (data, parameters, code or device changed).",
                flush=True,
            )
            remove(other)


def _restore(training: Training, folder: Path) -> Iterator[str]:
    """Restore the newest good checkpoint; yield the reasons why newer ones are refused, and the outcome."""
    for checkpoint in read_checkpoints(folder, key=folder.name):
        if isinstance(checkpoint, Checkpoint):
            training.restore(checkpoint)
            yield f"resuming after step {checkpoint.step} of {len(training.steps)}, from {folder}"
            return
        yield checkpoint
    if folder.is_dir():
        yield "no checkpoint is good: starting over"


def _write(training: Training, folder: Path, progress: Progress) -> bool:
    """Write a checkpoint on the first rank; return False if it could not be written."""
    if not training.ranks.first:
        return True
    checkpoint = training.state()
    try:
        write_checkpoint(folder, checkpoint, key=folder.name)
    except EnvironmentFault as error:
        progress.say(f"no checkpoint at step {training.done}: {error}")
        return False
    return True


def _describe_stop(step: int, *, kept: bool) -> str:
    if kept:
        return f"stopped after step {step}. Run `dvc repro` to resume."
    return f"stopped after step {step}, its checkpoint could not be written; `dvc repro` resumes from the one before."


def _report(training: Training, progress: Progress) -> None:
    """Report the last step and, if it was evaluated, its evaluation."""
    step = training.steps[training.done - 1]
    evaluated = step.evaluate and not training.due
    loss = training.evaluations[-1].train_loss if evaluated else training.loss
    if loss is not None:
        progress.report(training.done, step.epoch, loss)
    if evaluated:
        evaluation = training.evaluations[-1]
        progress.say(
            f"step {evaluation.step}/{len(training.steps)}, epoch {evaluation.epoch:.2f}: "
            f"train loss {evaluation.train_loss:.4f}, {training.objective.describe(evaluation)}"
        )


def _say(progress: Progress, message: str | None) -> None:
    if message is not None:
        progress.say(message)


@contextmanager
def _stop_request() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a request inside the block, so that the current step is finished first."""
    request = StopRequest()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        request.made = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
