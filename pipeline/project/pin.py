"""The pin of a repository of the Hugging Face Hub: its commit and files, as `sources` of params.yaml has them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from huggingface_hub.hf_api import RepoFile

from pipeline.core.document import Document
from pipeline.core.errors import UsageError, listed
from pipeline.core.files import publish, read_utf8
from pipeline.project.folders import FileGlobs, choose_data, group_files, join_parts, tell_split
from pipeline.project.params_file import add_entry, drop_entry, spell
from pipeline.project.task import make_name
from pipeline.settings.fields import Split
from pipeline.settings.parse import parse_params, submap
from pipeline.settings.sources import HubSource
from pipeline.sources.configs import read_config
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


def pin_source(
    identity: str, *, revision: str = "main", kind: Kind = "model", config: str | None = None, root: Path = Path()
) -> str:
    """Add a repository of the Hub to the sources of the project's params.yaml, and return what was added.

    Raises:
        UsageError: See `pin_repository`.
        EnvironmentFault: The hub could not be reached, or params.yaml not be read or written.
    """
    file = root / "params.yaml"
    text, pin = pin_repository(read_utf8(file), identity, revision=revision, kind=kind, config=config)
    with publish(file) as partial:
        partial.write_text(text, encoding="utf-8")
    return f"{file} has a source more:\n{pin.block}Use it in a task:\n  {pin.usage}"


def pin_repository(
    params: str, identity: str, *, revision: str = "main", kind: Kind = "model", config: str | None = None
) -> tuple[str, Pin]:
    """Return params.yaml with a source for a repository of the Hub at the commit that `revision` is now, and the pin.

    A source of the same repository is replaced. `config` is that of a dataset; None: its only or default one.

    Raises:
        UsageError: There is no such repository, revision or config, it lacks a file that is needed, or another source
            has its name.
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
    at = asked.model_copy(update={"revision": commit})
    files = list_files(at)
    if kind == "model":
        if config is not None:
            raise UsageError(f"--config: a model has none, found {config!r}. Leave it out, or add `--type dataset`.")
        keys, usage = {"files": _choose_model(files, identity)}, f"encoder: raw/{name}"
    elif revision == PARQUET_BRANCH:
        keys, usage = _describe_files(name, group_files(_choose_converted(files, config)))
    else:
        keys, usage = _choose_dataset(at, files, name, config)
    pin = Pin(name, _render(name, identity, kind, commit, revision, keys), usage)
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


def _choose_dataset(
    source: HubSource, files: Mapping[str, RepoFile], name: str, config: str | None
) -> tuple[Document, str]:
    """Return the keys of a source that brings a config of a dataset, and how a task uses it.

    Raises:
        UsageError: There is no data, or no such config.
    """
    if not choose_data(sorted(files)):
        raise UsageError(
            f"dataset {source.id}: has no file of data, found {listed(sorted(files))}. "
            f"Run again with `--revision {PARQUET_BRANCH}`, where the hub keeps any dataset as Parquet."
        )
    with TemporaryDirectory() as scratch:
        chosen = read_config(source, files, Path(scratch), config)
    splits = _match_splits(list(chosen.splits))
    paths = [path for split in splits.values() for path in chosen.splits[split]]
    if not splits or not all(path.endswith(".parquet") for path in paths):
        globs: FileGlobs = {split: join_parts(chosen.splits[named]) for split, named in splits.items()}
        return _describe_files(name, globs or join_parts([path for own in chosen.splits.values() for path in own]))
    return {"config": chosen.name, "splits": splits}, _describe_joined(name, splits)


def _choose_converted(names: Collection[str], config: str | None) -> list[str]:
    """Return the files of a config on the branch of the hub's own Parquet files, whose folders are the configs.

    Raises:
        UsageError: There is no such config, or several.
    """
    by_config: dict[str, list[str]] = {}
    for name in choose_data(sorted(names)):
        by_config.setdefault(name.split("/")[0], []).append(name)
    wanted = config or (next(iter(by_config)) if len(by_config) == 1 else "default")
    if wanted not in by_config:
        raise UsageError(f"the dataset has no config {wanted!r}, found {listed(by_config)}. Name one with `--config`.")
    return by_config[wanted]


def _match_splits(names: Sequence[str]) -> dict[Split, str]:
    """Return the name of each split among those of a dataset, as far as words tell; none if none is called train.

    Validation stands for a test that is not there.
    """
    splits: dict[Split, str] = {}
    for name in names:
        if (split := tell_split(name)) is not None:
            splits.setdefault(split, name)
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
    return splits if "train" in splits else {}


def _describe_files(name: str, files: FileGlobs) -> tuple[Document, str]:
    """Return the keys of a source that brings files, and how a task uses it; without a test split it deals its own."""
    if isinstance(files, dict) and all(glob.endswith(".parquet") for globs in files.values() for glob in globs):
        return {"files": files}, _describe_joined(name, files)
    globs = [glob for own in files.values() for glob in own] if isinstance(files, dict) else files
    suffix = PurePosixPath(globs[0].lower().removesuffix(".gz")).suffix.removeprefix(".")
    form = {"format": suffix} if suffix in ("parquet", "jsonl") else {}
    usage = {"file": name, "files": files if "test" in files else globs, **form}
    return {"files": globs}, f"ingest: {spell(usage)}"


def _describe_joined(name: str, splits: Collection[str]) -> str:
    column = {"split": "split"} if "test" in splits else {}
    return f"ingest: {spell({'file': f'{name}/dataset.parquet', 'format': 'parquet', **column})}"


def _render(name: str, identity: str, kind: Kind, commit: str, revision: str, keys: Document) -> str:
    head = f"  {spell(name)}:\n    kind: hub\n    type: {kind}\n    id: {identity}\n"
    own = "".join(f"    {key}: {spell(value)}\n" for key, value in keys.items())
    return f"{head}    revision: {spell(commit)} # {revision}\n{own}"
