"""Progress for people: a bar on a terminal, a plain line every few seconds elsewhere. No result depends on it."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 5.0
LINE = re.compile(r"step (?P<step>\d+)/(?P<steps>\d+), epoch (?P<epoch>[\d.]+): loss (?P<loss>\S+), (?P<left>.+) left")


class Progress:
    """The progress of a training: a bar on standard error, or lines on standard output, each flushed."""

    def __init__(
        self, steps: int, *, done: int = 0, between: float = SECONDS_BETWEEN_LINES, shown: bool = True
    ) -> None:
        """Start the clock of a training of `steps` steps, `done` of them in earlier runs.

        Plain lines are at least `between` seconds apart.
        """
        self._steps, self._done, self._between, self._shown = steps, done, between, shown
        self._bar = tqdm(total=steps, initial=done, unit="step", disable=None if shown else True, dynamic_ncols=True)
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def report(self, step: int, epoch: float, loss: float) -> None:
        """Show that `step` steps are done, one or more of them now; `loss` is the mean training loss of the last."""
        self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self._bar.update(step - self._bar.n)
        now = time.monotonic()
        if self._bar.disable and now - self._last_line >= self._between:
            self._last_line = now
            left = timedelta(seconds=round((now - self._start) / (step - self._done) * (self._steps - step)))
            self.say(f"step {step}/{self._steps}, epoch {epoch:.2f}: loss {loss:.4f}, {left} left")

    def say(self, line: str) -> None:
        """Print a line that stays; above the bar, if there is one."""
        if not self._shown:
            return
        if self._bar.disable:
            print(line, flush=True)
        else:
            self._bar.write(line)


@contextmanager
def show_progress(total: int, unit: str, *, between: float = SECONDS_BETWEEN_LINES) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of units just done: a bar on a terminal, plain lines elsewhere."""
    start = last_line = time.monotonic()
    count = 0
    with tqdm(total=total, unit=unit, disable=None, dynamic_ncols=True) as bar:

        def advance(more: int) -> None:
            nonlocal count, last_line
            count += more
            bar.update(more)
            now = time.monotonic()
            if bar.disable and now - last_line >= between:
                last_line = now
                left = timedelta(seconds=round((now - start) / count * (total - count)))
                print(f"{count}/{total} {unit}s, {left} left", flush=True)

        yield advance
