"""A repository of the Hugging Face Hub as a source: its files as they are, or the splits of a dataset as one file."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from huggingface_hub.hf_api import RepoFile

from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.settings.fields import Split
from pipeline.settings.sources import HubSource
from pipeline.sources.archive import name_nearest
from pipeline.sources.configs import Config, read_config
from pipeline.sources.dataset import join_splits
from pipeline.sources.hub import check_size, download_files, list_files, select_files, verify

_JOINED = "dataset.parquet"


def bring_repository(params: HubSource, folder: Path, scratch: Path) -> None:
    """Write the chosen files below `folder`: as they are, or joined to one Parquet file if they are those of splits.

    Everything else that the download writes goes to `scratch`, an empty folder.

    Raises:
        UsageError: There is no such repository, revision, config, split or file, or a file may hold code.
        DataError: A file has another checksum than the hub states, or there are more than `max_bytes`.
        EnvironmentFault: The hub could not be reached, or the download was interrupted.
    """
    files = list_files(params)
    if params.config is not None:
        config = read_config(params, files, scratch, params.config)
        _join(params, files, _name_files(config, params.splits or {}), config.features, folder, scratch)
    elif isinstance(params.files, dict):
        _join(params, files, params.files, {}, folder, scratch)
    else:
        for name in _download(params, files, params.files or (), scratch):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).rename(folder / name)


def _name_files(config: Config, splits: Mapping[Split, str]) -> dict[Split, list[str]]:
    """Return the files of each wanted split, as globs that match them alone.

    Raises:
        UsageError: The config lacks a split.
    """
    if missing := [name for name in splits.values() if name not in config.splits]:
        raise UsageError(f"the config has no split {missing[0]!r}. {name_nearest(missing[0], config.splits)}")
    return {split: [glob.escape(name) for name in config.splits[named]] for split, named in splits.items()}


def _join(
    params: HubSource,
    files: Mapping[str, RepoFile],
    splits: Mapping[Split, Sequence[str]],
    features: Document,
    folder: Path,
    scratch: Path,
) -> None:
    chosen = {split: select_files(globs, files) for split, globs in splits.items()}
    _download(params, files, [glob.escape(name) for names in chosen.values() for name in names], scratch)
    paths = {split: [scratch / name for name in names] for split, names in chosen.items()}
    join_splits(paths, folder / _JOINED, features)


def _download(params: HubSource, files: Mapping[str, RepoFile], globs: Sequence[str], scratch: Path) -> list[str]:
    """Return the names of the files that `globs` match, which are below `scratch` and have the stated checksums."""
    names = select_files(globs, files)
    wanted = {name: files[name] for name in names}
    check_size(wanted, params.max_bytes)
    download_files(params, wanted, scratch)
    for name, file in wanted.items():
        verify(scratch / name, file)
    return names
