"""The errors a person can act on, each with the exit code a scheduler can act on."""

from collections.abc import Iterable


class PipelineError(Exception):
    """What was wrong, the value found, what is allowed, what to do; `exit_code` is the process's."""

    exit_code = 1


class Regression(PipelineError):
    """A change makes a model worse than its gates allow; the model must become better, or the gate be argued over."""


class UsageError(PipelineError):
    """A parameter or an argument is wrong; running again does not help."""

    exit_code = 2


class DataError(PipelineError):
    """The data break a promise that later stages need; running again does not help."""

    exit_code = 3


class EnvironmentFault(PipelineError):
    """The machine failed (disk, network, library, damaged file); running again may help."""

    exit_code = 4


class Stopped(PipelineError):
    """The process was asked to stop, and left what it had done in order; running again goes on from there."""

    exit_code = 143  # 128 + SIGTERM, as a shell reports it


class Busy(PipelineError):
    """Somebody else holds what this run needs; running again later helps."""

    exit_code = 75


def listed(values: Iterable[object], *, most: int = 5, width: int = 60) -> str:
    """Return up to `most` values as one readable line, each cut to `width` characters.

    Values are shown by `repr`, so control characters in bad data cannot reach the terminal.
    """
    shown: list[str] = []
    rest = 0
    for value in values:
        if len(shown) == most:
            rest += 1
            continue
        text = repr(value)
        shown.append(text if len(text) <= width else text[: width - 1] + "…")
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
