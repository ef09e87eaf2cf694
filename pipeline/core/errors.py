"""The errors that a person can act on, with the exit codes that a scheduler can act on.

| Exit code | Error              | Cause                                        | Running again                     |
|-----------|--------------------|----------------------------------------------|-----------------------------------|
| 0         | none               |                                              |                                   |
| 1         | `Regression`       | a model is worse than its gates allow        | does not help                     |
| 1         | none, of `plan`    | there is work to do                          | helps after `run`                 |
| 1         | none, of `run`     | a stage failed; its own code is in the log   | depends on that code              |
| 2         | `UsageError`       | a parameter or an argument is wrong          | does not help                     |
| 3         | `DataError`        | the data break what later stages rely on     | does not help                     |
| 4         | `EnvironmentFault` | disk, network, library or a damaged file     | may help                          |
| 5         | `NotReproduced`    | results are not those of their code and data | helps after `dvc repro`           |
| 70        | any other          | a fault of the pipeline itself               | does not help                     |
| 75        | `Busy`             | another process holds what the run needs     | helps later                       |
| 130       | a Ctrl-C           | a command, but not a stage, was interrupted  | helps                             |
| 141       | a closed pipe      | nobody reads the output any more             | helps                             |
| 143       | `Stopped`          | the process was asked to stop                | resumes where it stopped          |

A message is `WHERE: WHAT, FOUND. FIX.`, the fix an imperative.
"""

import reprlib
from collections.abc import Iterable
from typing import Any

# EX_SOFTWARE of sysexits.h. Python's own 1 is taken: a gate or a stage failed, or a plan has work to do.
FAULT_CODE = 70
REPRODUCE = "Run `dvc repro` to create it."  # the fix of a file that a stage has written


class PipelineError(Exception):
    """An error with a message that says how to fix it; `exit_code` is that of the process."""

    exit_code = 1


class Regression(PipelineError):
    """A change makes a model worse than its gates allow; improve the model, or change the gate and say why."""


class UsageError(PipelineError):
    """A parameter or an argument is wrong; running again does not help."""

    exit_code = 2


class DataError(PipelineError):
    """The data break a promise that later stages rely on; running again does not help."""

    exit_code = 3


class EnvironmentFault(PipelineError):
    """The machine failed (disk, network, library, damaged file); running again may help."""

    exit_code = 4


class NotReproduced(PipelineError):
    """The recorded results are not those of the code, parameters and data beside them; reproduce them first."""

    exit_code = 5


class Stopped(BaseException):
    """The process was asked to stop and left its work in order; running again resumes it.

    It is no `Exception`: code that handles every error it may meet must not handle this one.
    """

    exit_code = 143  # 128 + SIGTERM, as a shell reports it


class Busy(PipelineError):
    """Another process holds what this run needs; running again later helps."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


def listed(values: Iterable[object], *, most: int = 5, width: int = 60) -> str:
    """Return up to `most` values as one readable line, each cut to `width` characters; the others are counted.

    Values are shown by `repr`, so control characters in bad data cannot reach the terminal. Of a long or deeply nested
    value only what is shown is spelled out.
    """
    shown: list[str] = []
    rest = 0
    for value in values:
        if len(shown) == most:
            rest += 1
            continue
        text = _spell(value, width)
        shown.append(text if len(text) <= width else text[: width - 1] + "…")
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _spell(value: object, width: int) -> str:
    if isinstance(value, str | bytes) and len(value) > width:
        kind: Any = type(value)  # perhaps a subclass that spells itself in its own way
        return repr(kind(value[:width]))
    if isinstance(value, str | bytes):
        return repr(value)
    return _BRIEF.repr(value)


_BRIEF = reprlib.Repr()
_BRIEF.maxlevel = 3
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxdict = _BRIEF.maxset = _BRIEF.maxfrozenset = 20
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = 300
