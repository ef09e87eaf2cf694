"""The types of the values in params.yaml: names, paths, and numbers with their ranges."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints


def require_relative(path: str) -> str:
    """Return `path` if it is below a folder, in its only spelling, on every system.

    Raises:
        ValueError: It is absolute, or has an empty, `.` or `..` part, a backslash, a drive or a control character.
    """
    if not path.isprintable() or re.search(r"\\|^[A-Za-z]:", path) or {"", ".", ".."} & set(path.split("/")):
        raise ValueError(f"must be a relative path without `..`, `.`, `//`, `\\` or a drive, found {path!r}")
    return path


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(require_relative)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
