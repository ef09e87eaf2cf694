"""How far a training is: a bar on a terminal, a plain line now and then elsewhere. No result depends on it."""

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
    """Steps done out of `steps`: a bar on standard error, or lines on standard output, each flushed."""

    def __init__(self, steps: int, *, between: float = SECONDS_BETWEEN_LINES, shown: bool = True) -> None:
        """Start the clock; `between` is the least number of seconds from one plain line to the next."""
        self._steps, self._between, self._shown = steps, between, shown
        self._bar = tqdm(total=steps, unit="step", disable=None if shown else True, dynamic_ncols=True)
        self._start = self._told = time.monotonic()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self._bar.close()

    def reached(self, step: int, epoch: float, loss: float) -> None:
        """Tell that `step` steps are done, the last of them with a mean training loss of `loss`."""
        self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self._bar.update(step - self._bar.n)
        now = time.monotonic()
        if self._bar.disable and now - self._told >= self._between:
            self._told = now
            left = timedelta(seconds=round((now - self._start) / step * (self._steps - step)))
            self.say(f"step {step}/{self._steps}, epoch {epoch:.2f}: loss {loss:.4f}, {left} left")

    def say(self, line: str) -> None:
        """Print a line that stays, above the bar where there is one."""
        if not self._shown:
            return
        if self._bar.disable:
            print(line, flush=True)
        else:
            self._bar.write(line)


@contextmanager
def counting(total: int, unit: str, *, between: float = SECONDS_BETWEEN_LINES) -> Iterator[Callable[[int], None]]:
    """Yield what is told how many more of `total` are done: a bar on a terminal, plain lines now and then elsewhere."""
    start = told = time.monotonic()
    count = 0
    with tqdm(total=total, unit=unit, disable=None, dynamic_ncols=True) as shown:

        def done(more: int) -> None:
            nonlocal count, told
            count += more
            shown.update(more)
            now = time.monotonic()
            if shown.disable and now - told >= between:
                told = now
                left = timedelta(seconds=round((now - start) / count * (total - count)))
                print(f"{count}/{total} {unit}s, {left} left", flush=True)

        yield done
