"""A training from the newest good checkpoint to its end, whatever kills it in between."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pipeline.core.errors import EnvironmentFault, Stopped
from pipeline.core.files import remove
from pipeline.core.progress import Progress
from pipeline.models.processes import agree, any_of, first_then_others
from pipeline.train.checkpoints import Checkpoint, read, tidy, write
from pipeline.train.training import Snapshot, Trained, Training

# One of the default encoder costs about a second and 165 MB, so this often it costs a percent.
SECONDS_BETWEEN_CHECKPOINTS = 60.0


class Request:
    """Whether somebody asked this process to stop."""

    made = False


def to_the_end(training: Training, folder: Path, *, key: str, seconds: float = SECONDS_BETWEEN_CHECKPOINTS) -> Trained:
    """Train to the end, from the newest checkpoint below `folder` that is whole and has this `key`.

    A checkpoint is written every `seconds`, and when SIGTERM or SIGINT asks to stop. One that cannot be written is told
    and the training goes on. `key` stands for all that the result depends on; checkpoints of another key are removed.

    Raises:
        Stopped: The process was asked to stop; a checkpoint is there.
        UsageError: A loss is not finite.
    """
    mine = folder / key
    _start(training, mine)
    written = time.monotonic()
    with _stop_request() as request, Progress(len(training.steps), shown=training.ranks.first) as progress:
        training.asked = lambda: any_of(request.made, training.ranks)
        while not training.finished:
            training.advance()
            _tell(training, progress)
            stop = any_of(request.made, training.ranks)
            if stop or time.monotonic() - written >= seconds:
                _write(training, mine, progress)
                written = time.monotonic()
            if stop and not training.finished:
                raise Stopped(f"stopped after step {training.done}; `dvc repro` goes on from there")
    return training.result()


def _start(training: Training, folder: Path) -> None:
    """Bring the training to where the newest good checkpoint left it, and say so.

    Raises:
        EnvironmentFault: The processes of one training see different checkpoints.
    """
    with first_then_others(training.ranks):
        for other in folder.parent.iterdir() if training.ranks.first and folder.parent.is_dir() else ():
            if other != folder and other.is_dir():
                print(f"{other} is of another training (data, parameters, code or device) and goes", flush=True)
                remove(other)
        if training.ranks.first:
            tidy(folder)
    for said in _restored(training, folder):
        if training.ranks.first:
            print(said, flush=True)
    if not agree(training.done, training.ranks):
        raise EnvironmentFault(f"the processes of this training see different checkpoints in {folder}. Run again.")


def _restored(training: Training, folder: Path) -> Iterator[str]:
    """Restore the newest good checkpoint and yield what there is to say about it and those before it."""
    for found in read(folder, key=folder.name):
        if isinstance(found, Checkpoint):
            training.restore(Snapshot(found.tensors, found.record))
            yield f"going on after step {found.step} of {len(training.steps)}, from {folder}"
            return
        yield found
    if folder.is_dir():
        yield "no checkpoint is good: starting over"


def _write(training: Training, folder: Path, progress: Progress) -> None:
    if not training.ranks.first:
        return
    snapshot = training.snapshot()
    try:
        write(folder, Checkpoint(training.done, *snapshot), key=folder.name)
    except EnvironmentFault as error:
        progress.say(f"no checkpoint at step {training.done}, the training goes on: {error}")


def _tell(training: Training, progress: Progress) -> None:
    step = training.steps[training.done - 1]
    measured = step.evaluate and not training.due
    loss = training.evaluations[-1].train_loss if measured else training.loss
    if loss is not None:
        progress.reached(training.done, step.epoch, loss)
    if measured:
        found = training.evaluations[-1]
        progress.say(
            f"step {found.step}/{len(training.steps)}, epoch {found.epoch:.2f}: train loss {found.train_loss:.4f}, "
            f"{training.objective.told(found)}"
        )


@contextmanager
def _stop_request() -> Iterator[Request]:
    """Turn SIGTERM and SIGINT into a request inside the block: the step under way is finished first."""
    request = Request()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        request.made = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
