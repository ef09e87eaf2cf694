"""Configs of a dataset of the Hub: the files of each split, those that the library `datasets` itself would take."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from huggingface_hub import DatasetCard
from huggingface_hub.hf_api import RepoFile

from pipeline.core.document import Document
from pipeline.core.errors import DataError, PipelineError, UsageError, listed
from pipeline.settings.fields import require_relative
from pipeline.settings.sources import HubSource
from pipeline.sources.archive import name_nearest
from pipeline.sources.hub import download_files, verify

_CARD = "README.md"
_FURTHER_CARD = ".huggingface.yaml"  # would be read too; hardly any dataset has one
_ELSEWHERE = re.compile(r"://|::|\\|^[/~]|^[A-Za-z]:|(^|/)\.\.(/|$)")
_MOST_BYTES = 2**24  # of a card


class Config(NamedTuple):
    """A config by name: the files of each split by its own name, in order, and the features that the card states."""

    name: str
    splits: dict[str, list[str]]
    features: Document


def read_config(params: HubSource, files: Mapping[str, RepoFile], scratch: Path, name: str | None = None) -> Config:
    """Return a config of a dataset; without a name its default one.

    Only the card is downloaded: all `files` of the repository stand as empty ones in a folder of `scratch`, of which
    `datasets` chooses without the network.

    Raises:
        UsageError: There is no such config, or no default one, or `datasets` finds no data.
        DataError: The card names files elsewhere.
        EnvironmentFault: The hub could not be reached.
    """
    with TemporaryDirectory(dir=scratch) as own:
        folder = Path(own).resolve() / "repository"
        _mirror(params, files, folder)
        try:
            return _ask(folder, name, Path(own) / "cache")
        except PipelineError:
            raise
        except Exception as error:  # of the library, about a card that is not as it must be
            raise UsageError(
                f"dataset {params.id} at {params.revision}: `datasets` cannot tell its configs, "
                f"{type(error).__name__}: {listed([str(error)], width=300)}. Name its `files`."
            ) from error


def _mirror(params: HubSource, files: Mapping[str, RepoFile], folder: Path) -> None:
    """Write the card below `folder`, and an empty file for each other file of the repository."""
    if _FURTHER_CARD in files:
        raise UsageError(f"dataset {params.id}: {_FURTHER_CARD} is not read. Name its `files`.")
    for name in files:
        try:
            path = folder / require_relative(name)
        except ValueError as error:
            raise UsageError(f"dataset {params.id}: a file is refused: {error}. Name its `files`.") from error
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if (card := files.get(_CARD)) is not None:
        if card.size > _MOST_BYTES:
            raise DataError(f"dataset {params.id}: {_CARD} has {card.size} bytes, too many to read. Name its `files`.")
        download_files(params, {_CARD: card}, folder)
        verify(folder / _CARD, card)


def _ask(folder: Path, name: str | None, cache: Path) -> Config:
    import datasets  # noqa: PLC0415  # a second, of use here only

    _require_own(folder / _CARD)
    datasets.disable_progress_bars()
    names = datasets.get_dataset_config_names(str(folder))
    name = name or datasets.get_dataset_default_config_name(str(folder))
    if name not in names:
        what = "has no default config" if name is None else f"has no config {name!r}"
        raise UsageError(f"the dataset {what}. {name_nearest(name or '', names)}")
    builder = datasets.load_dataset_builder(str(folder), name, cache_dir=str(cache))
    splits = {
        str(split): [Path(path).relative_to(folder).as_posix() for path in paths]
        for split, paths in builder.config.data_files.items()
    }
    return Config(name, splits, builder.info.features.to_dict() if builder.info.features else {})


def _require_own(card: Path) -> None:
    """Require the configs of a card to name files of its repository alone: others would be looked for.

    Raises:
        DataError: They do not.
    """
    configs = DatasetCard.load(card).data.get("configs") if card.is_file() else None
    if foreign := [text for text in _list_paths(configs) if _ELSEWHERE.search(text)]:
        raise DataError(f"{_CARD}: a config names files outside the repository, {listed(foreign)}. Name its `files`.")


def _list_paths(configs: Any) -> Iterator[str]:
    """Yield the texts below `data_files` and `data_dir` of any config."""
    for config in configs if isinstance(configs, list) else ():
        if isinstance(config, dict):
            yield from _list_texts([config.get("data_files"), config.get("data_dir")])


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        parts: Iterable[Any] = value.values() if isinstance(value, dict) else value
        for part in parts:
            yield from _list_texts(part)
