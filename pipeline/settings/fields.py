"""What the sections of params.yaml are made of: strict sections, names, paths and numbers with their ranges."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def inside(path: str) -> str:
    """Return `path` if it names something below a folder, in one spelling and on every system.

    Raises:
        ValueError: It is absolute, has an empty, `.` or `..` part, a backslash, a drive or a control character.
    """
    if not path.isprintable() or re.search(r"\\|^[A-Za-z]:", path) or {"", ".", ".."} & set(path.split("/")):
        raise ValueError(f"found {path!r}; it must be a relative path without `..` (nor `.`, `//`, `\\`, a drive)")
    return path


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(inside)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Section(BaseModel):
    """A part of params.yaml: unknown keys, wrong types, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
