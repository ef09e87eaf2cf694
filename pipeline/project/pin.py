"""The pin of a repository of the Hugging Face Hub: its commit and files, as `sources` of params.yaml has them."""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from pipeline.core.errors import UsageError, listed
from pipeline.core.files import publish, read_utf8
from pipeline.project.folders import FileGlobs, choose_data, group_files
from pipeline.project.params_file import add_entry, drop_entry, spell
from pipeline.project.task import make_name
from pipeline.settings.parse import parse_params, submap
from pipeline.settings.sources import HubSource
from pipeline.sources.hub import list_files, resolve_commit

Kind = Literal["model", "dataset"]
PARQUET_BRANCH = "refs/convert/parquet"
_TIMEOUT = 60  # seconds without an answer; only lists are asked for
_NEEDED = ("config.json", "tokenizer.json", "tokenizer_config.json")
_WEIGHTS = (("model.safetensors",), ("model.safetensors.index.json", "model-*.safetensors"))
_OPTIONAL = ("special_tokens_map.json",)


class Pin(NamedTuple):
    """A pinned source: its name, its lines in params.yaml, and how a task uses it."""

    name: str
    block: str
    usage: str


def pin_source(identity: str, *, revision: str = "main", kind: Kind = "model", root: Path = Path()) -> str:
    """Add a repository of the Hub to the sources of the project's params.yaml, and return what was added.

    Raises:
        UsageError: See `pin_repository`.
        EnvironmentFault: The hub could not be reached, or params.yaml not be read or written.
    """
    file = root / "params.yaml"
    text, pin = pin_repository(read_utf8(file), identity, revision=revision, kind=kind)
    with publish(file) as partial:
        partial.write_text(text, encoding="utf-8")
    return f"{file} has a source more:\n{pin.block}Use it in a task:\n  {pin.usage}"


def pin_repository(params: str, identity: str, *, revision: str = "main", kind: Kind = "model") -> tuple[str, Pin]:
    """Return params.yaml with a source for a repository of the Hub at the commit that `revision` is now, and the pin.

    A source of the same repository is replaced.

    Raises:
        UsageError: There is no such repository or revision, it lacks a file that is needed, or another source has its
            name.
        EnvironmentFault: The hub could not be reached.
    """
    values, _ = parse_params(params)
    name = make_name(PurePosixPath(identity).name)
    present = submap(submap(values, "sources"), name)
    if present and present.get("id") != identity:
        raise UsageError(f"params.yaml: another source is called {name!r}, {listed([present])}. Rename it first.")
    asked = HubSource.model_construct(  # not checked: a branch is no commit yet
        source=name, kind="hub", type=kind, id=identity, revision=revision, files=(),
        timeout=_TIMEOUT, max_bytes=1,
    )  # fmt: skip
    commit = resolve_commit(asked)
    names = list_files(asked.model_copy(update={"revision": commit}))
    files = _choose_model(names, identity) if kind == "model" else _choose_dataset(names, identity)
    pin = Pin(name, _render(name, identity, kind, commit, revision, files), _describe_usage(name, kind, files))
    params = drop_entry(params, f"sources.{name}") if present else params
    return add_entry(params, "sources", pin.block), pin


def _choose_model(names: Collection[str], identity: str) -> list[str]:
    """Return the files that an encoder is loaded from: tensors and tables, nothing that could run.

    Raises:
        UsageError: One is missing.
    """
    weights = next((files for files in _WEIGHTS if files[0] in names), None)
    missing = [name for name in _NEEDED if name not in names] + ([] if weights else ["model.safetensors"])
    if missing or weights is None:
        raise UsageError(
            f"model {identity}: has no {listed(missing)}; pickled weights and slow tokenizers are not loaded. "
            "Name another model, or a revision that has these files."
        )
    return ["config.json", *weights, *_NEEDED[1:], *(name for name in _OPTIONAL if name in names)]


def _choose_dataset(names: Collection[str], identity: str) -> FileGlobs:
    """Return the files of a dataset: by split if they are Parquet and their names tell the splits.

    Raises:
        UsageError: There are none.
    """
    data = choose_data(sorted(names))
    if not data:
        raise UsageError(
            f"dataset {identity}: has no file of data, found {listed(sorted(names))}. "
            f"Run again with `--revision {PARQUET_BRANCH}`, where the hub keeps any dataset as Parquet."
        )
    return group_files(data) if data[0].endswith(".parquet") else data


def _render(name: str, identity: str, kind: Kind, commit: str, revision: str, files: FileGlobs) -> str:
    return (
        f"  {spell(name)}:\n    kind: hub\n    type: {kind}\n    id: {identity}\n"
        f"    revision: {spell(commit)} # {revision}\n    files: {spell(files)}\n"
    )


def _describe_usage(name: str, kind: Kind, files: FileGlobs) -> str:
    if kind == "model":
        return f"encoder: raw/{name}"
    where: Mapping[str, object] = (
        {"file": f"{name}/dataset.parquet", "format": "parquet", "split": "split"}
        if isinstance(files, dict)
        else {"file": name, "files": files}
    )
    return f"ingest: {spell(where)}"
