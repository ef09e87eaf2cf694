"""Faults of rows: counted over a whole file, and reported together with those of other kinds."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from pipeline.core.errors import DataError, listed

_SHOWN = 5
_LISTENER: ContextVar[Callable[[int | str, str], None] | None] = ContextVar("listener", default=None)


@contextmanager
def overhear_faults(listener: Callable[[int | str, str], None]) -> Iterator[None]:
    """Call `listener` with the line of each faulty row, and what is wrong with it, as it is counted in the block."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class RowErrors(DataError):
    """Faults of rows that leave the other rows whole, so that reading and checking go on."""

    def __init__(self, *errors: str) -> None:
        """Keep the messages, each of one kind of fault."""
        self.errors = errors
        lines = "".join(f"\n  {error}" for error in errors)
        super().__init__(errors[0] if len(errors) == 1 else f"{len(errors)} kinds of faults:{lines}")


class Faults:
    """The faults of a file so far; all are raised together, each kind once."""

    def __init__(self, errors: Sequence[str] = ()) -> None:
        """Start with the faults that were gathered before."""
        self.errors = list(errors)

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Keep the `RowErrors` that the body raises, and go on."""
        try:
            yield
        except RowErrors as error:
            self.errors += error.errors

    def check(self) -> None:
        """Check that there are no faults.

        Raises:
            RowErrors: There are.
        """
        if self.errors:
            raise RowErrors(*self.errors)


class RowFault:
    """The rows with one kind of fault: the count of all, the first five lines and five distinct values.

    Args:
        file: The file's path.
        what: The fault, so that "3 row(s) `what`" reads well.
        column: The column, if the fault is in one.
        certain: Whether a row is faulty as soon as it is counted, and not only beside others.
    """

    def __init__(self, file: str, what: str, *, column: str | None = None, certain: bool = True) -> None:
        """Start without rows."""
        self._file, self._what, self._column, self._certain = file, what, column, certain
        self.count = 0
        self._lines: list[int | str] = []
        self._values: dict[str, None] = {}

    def add(self, line: int | str, value: object = None) -> None:
        """Count a row; `line` may name one of several files too, and a None value is not shown."""
        self.count += 1
        if self._certain and (listener := _LISTENER.get()) is not None:
            listener(line, self._describe(value))
        if len(self._lines) < _SHOWN:
            self._lines.append(line)
        if value is not None and len(self._values) <= _SHOWN:
            self._values[listed([value])] = None

    def _describe(self, value: object) -> str:
        """Return what is wrong with a single row."""
        column = "" if self._column is None else f"column {self._column!r}: "
        return f"{column}{self._what}" + ("" if value is None else f": {listed([value])}")

    def error(self, remedy: str) -> RowErrors:
        """Return the error about these rows, at least one; `remedy` is what to do."""
        where = f"{self._file}:{self._lines[0]}: " + ("" if self._column is None else f"column {self._column!r}: ")
        more = f" and {self.count - _SHOWN} more" if self.count > _SHOWN else ""
        lines = f"line {', '.join(map(str, self._lines))}{more}"
        values = list(self._values)
        shown = ", ".join(values[:_SHOWN]) + (" and more" if len(values) > _SHOWN else "")
        return RowErrors(f"{where}{self.count} row(s) {self._what} ({lines}){shown and f': {shown}'}. {remedy}")

    def check(self, remedy: str) -> None:
        """Check that there are no such rows.

        Raises:
            RowErrors: There are.
            DataError: There are, and a listener, which hears of certain ones alone, has taken them for whole.
        """
        if not self.count:
            return
        error = self.error(remedy)
        if not self._certain and _LISTENER.get() is not None:
            raise DataError(str(error))
        raise error


def find_columns(file: str, wanted: Sequence[str], names: Sequence[str], *, hint: str = "") -> list[int]:
    """Return the position in `names` of each wanted column.

    Raises:
        DataError: A wanted column is missing or there twice.
    """
    missing = [name for name in wanted if name not in names]
    if missing:
        near = {name: difflib.get_close_matches(name, names, n=1, cutoff=0.6) for name in missing}
        asked = "".join(f" Did you mean {close[0]!r} for {name!r}?" for name, close in near.items() if close)
        raise DataError(
            f"{file}: column {listed(missing)} is not there; found {len(names)} column(s): "
            f"{listed(names, most=20)}.{asked}{hint} Name the file's columns in params.yaml or correct the file."
        )
    twice = [name for name in wanted if list(names).count(name) > 1]
    if twice:
        raise DataError(f"{file}: column {listed(twice)} is there more than once. Rename or remove one of them.")
    return [list(names).index(name) for name in wanted]
