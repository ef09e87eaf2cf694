"""A training from the newest good checkpoint to its end, whatever kills it in between."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pipeline.checkpoints import Checkpoint, read, tidy, write
from pipeline.errors import EnvironmentFault, Stopped
from pipeline.files import remove
from pipeline.progress import Progress
from pipeline.training import Snapshot, Trained, Training

# One costs about a second and half a gigabyte, so this often it costs a percent.
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
    with _stop_request() as request, Progress(len(training.steps)) as progress:
        while not training.finished:
            training.advance()
            _tell(training, progress)
            if request.made or time.monotonic() - written >= seconds:
                _write(training, mine, progress)
                written = time.monotonic()
            if request.made and not training.finished:
                raise Stopped(f"stopped after step {training.done}; `dvc repro` goes on from there")
    return training.result()


def _start(training: Training, folder: Path) -> None:
    """Bring the training to where the newest good checkpoint left it, and say so."""
    for other in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if other != folder and other.is_dir():
            remove(other)
    tidy(folder)
    for found in read(folder, key=folder.name):
        if isinstance(found, Checkpoint):
            training.restore(Snapshot(found.tensors, found.record))
            print(f"going on after step {found.step} of {len(training.steps)}, from {folder}", flush=True)
            return
        print(found, flush=True)
    if folder.is_dir():
        print("no checkpoint is good: starting over", flush=True)


def _write(training: Training, folder: Path, progress: Progress) -> None:
    snapshot = training.snapshot()
    try:
        write(folder, Checkpoint(training.done, *snapshot), key=folder.name)
    except EnvironmentFault as error:
        progress.say(f"no checkpoint at step {training.done}, the training goes on: {error}")


def _tell(training: Training, progress: Progress) -> None:
    step = training.steps[training.done - 1]
    loss = training.evaluations[-1].train_loss if step.evaluate else training.loss
    if loss is not None:
        progress.reached(training.done, step.epoch, loss)
    if step.evaluate:
        found = training.evaluations[-1]
        progress.say(
            f"step {found.step}/{len(training.steps)}, epoch {found.epoch:.2f}: train loss {found.train_loss:.4f}, "
            f"validation loss {found.loss:.4f}, accuracy {found.accuracy:.4f}, macro-F1 {found.macro_f1:.4f}"
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
