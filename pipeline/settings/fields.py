"""The types of the values in params.yaml: names, paths, and numbers with their ranges."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StringConstraints, Tag


def require_relative(path: str) -> str:
    """Return `path` if it is below a folder, in its only spelling, on every system.

    Raises:
        ValueError: It is absolute, or has an empty, `.` or `..` part, a backslash, a drive or a control character.
    """
    if not path.isprintable() or re.search(r"\\|^[A-Za-z]:", path) or {"", ".", ".."} & set(path.split("/")):
        raise ValueError(f"must be a relative path without `..`, `.`, `//`, `\\` or a drive, found {path!r}")
    return path


def require_below_raw(path: str) -> str:
    """Return `path` if it is one below data/raw as people mean it.

    Raises:
        ValueError: It repeats data/raw, starts at a home folder, or is a glob.
    """
    if path.startswith("data/raw/"):
        raise ValueError(f"is below data/raw already; write {path.removeprefix('data/raw/')!r}, found {path!r}")
    if path.startswith("~"):
        raise ValueError(f"must lie below data/raw, found {path!r}; copy the file there, or add a source to `sources`")
    if "*" in path:
        raise ValueError(f"must be one file, found {path!r}; of a task, name the folder, and the glob in `files`")
    return path


def require_text(value: object) -> object:
    """Return `value` if it is not several paths.

    Raises:
        ValueError: It is a list or a map.
    """
    if isinstance(value, list | dict):
        raise ValueError(  # noqa: TRY004 - pydantic collects ValueError alone
            f"must be one file, found {value!r:.200}; of a task, name the folder, and its files in `files`"
        )
    return value


def shape(value: object) -> str:
    """Return the tag of a value that may be a list or a map, so that pydantic reports the errors of that form alone."""
    return MAP if isinstance(value, dict) else LIST


LIST, MAP = "<list>", "<map>"  # tags: no part of a dotted key
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(require_relative)]
RawPath = Annotated[FilePath, AfterValidator(require_below_raw), BeforeValidator(require_text)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Unit = Literal["share", "nats", "number"]  # of a metric
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Globs = Annotated[tuple[FilePath, ...], Field(min_length=1)]
Files = Annotated[
    Annotated[Globs, Tag(LIST)] | Annotated[dict[Split, Globs], Field(min_length=1), Tag(MAP)], Discriminator(shape)
]
