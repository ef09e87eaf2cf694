"""The figures of commands on many rows, kept in their page: each with the machine on which it was measured."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Self

from benchmarks.table import describe_setup, read_figures, write_page
from pipeline.core.format import markdown_table

HEADER = (
    "command", "rows", "processor, s", "wall, s", "peak memory, MiB", "µs a further row", "bytes a further row", "on",
)  # fmt: skip


class Figures(NamedTuple):
    """The seconds, those of processor time, the peak memory in bytes and the exit code of a command.

    `bound` are the bytes of memory that it could have; 0 if that was not recorded.
    """

    wall: float
    seconds: float
    memory: int
    code: int = 0
    bound: int = 0


class Measured(NamedTuple):
    """The figures of a command at a number of rows, and the place of their machine among those of the page."""

    command: str
    rows: int
    setup: int
    figures: Figures


class Scale:
    """The figures of a page."""

    def __init__(self, commands: Sequence[str], setups: list[str], measured: Sequence[Measured]) -> None:
        """Take the commands in the order of the page, the machines, and what was measured on them."""
        self._commands, self._setups = commands, setups
        self._measured = {(one.command, one.rows): one for one in measured}

    @classmethod
    def read(cls, commands: Sequence[str]) -> Self:
        """Return those of the page."""
        page = read_figures("scale")
        kept = page.get("measured", [])
        measured = [Measured(command, rows, setup, Figures(*figures)) for command, rows, setup, figures in kept]
        return cls(commands, list(page.get("setups", [])), measured)

    def has(self, command: str, rows: int) -> bool:
        """Return whether a command was measured at `rows` rows."""
        return (command, rows) in self._measured

    def setup(self, packages: Sequence[str]) -> int:
        """Return the place of this machine of today among those of the page."""
        if (setup := describe_setup(packages)) not in self._setups:
            self._setups.append(setup)
        return self._setups.index(setup)

    def add(self, measured: Measured) -> None:
        """Add figures, in the place of those of before."""
        self._measured[measured.command, measured.rows] = measured

    def publish(self, about: str) -> str:
        """Write the page, and return its table and its JSON object."""
        measured = sorted(self._measured.values(), key=lambda one: (self._commands.index(one.command), one.rows))
        used = sorted({one.setup for one in measured})
        measured = [one._replace(setup=used.index(one.setup)) for one in measured]
        setups = [self._setups[place] for place in used]
        rows = [(*_show(one), *_slope(before, one, setups), _letter(one.setup)) for before, one in _pair(measured)]
        shown = markdown_table(HEADER, rows, right=range(1, len(HEADER) - 1))
        letters = "\n".join(f"- {_letter(place)}: {setup}" for place, setup in enumerate(setups))
        figures = {"setups": setups, "measured": [[*one[:3], [*one.figures]] for one in measured]}
        return f"{shown}{write_page('scale', about, letters, shown, figures)}"


def _pair(measured: Sequence[Measured]) -> list[tuple[Measured | None, Measured]]:
    """Return each with that of the same command on fewer rows, None if there is none."""
    pairs = pairwise([None, *measured])
    return [
        (before if before is not None and one is not None and before.command == one.command else None, one)
        for before, one in pairs
        if one is not None
    ]


def _show(one: Measured) -> tuple[str, ...]:
    figures = one.figures
    seconds, wall, memory = f"{figures.seconds:,.1f}", f"{figures.wall:,.1f}", f"{figures.memory / 2**20:,.0f}"
    if figures.code:
        memory = f"failed at {memory} of {figures.bound / 2**20:,.0f}"
    return one.command, f"{one.rows:,}", seconds, wall, memory


def _slope(before: Measured | None, one: Measured, setups: Sequence[str]) -> tuple[str, str]:
    """Return the microseconds and the bytes that each further row costs; nothing if another machine had the fewer."""
    if before is None or one.figures.code or _machine(setups[before.setup]) != _machine(setups[one.setup]):
        return "", ""
    more, less, rows = one.figures, before.figures, one.rows - before.rows
    return f"{1e6 * (more.seconds - less.seconds) / rows:,.1f}", f"{round((more.memory - less.memory) / rows):,}"


def _machine(setup: str) -> str:
    """Return a setup without its date and versions."""
    return setup.partition(", ")[2].partition(";")[0]


def _letter(place: int) -> str:
    return chr(ord("A") + place)
