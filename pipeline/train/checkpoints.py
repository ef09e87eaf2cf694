"""Checkpoints on disk: tensors and a record in a folder that is either whole or refused with a reason."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pipeline.core.document import json_text
from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import publish, read_json, remove, sha256

CHECKPOINTS_KEPT = 2
TENSORS, RECORD, SUMS = "tensors.safetensors", "record.json", "manifest.json"


class Checkpoint(NamedTuple):
    """A training after `step` updates, the content of one folder: tensors, and a JSON object."""

    step: int
    tensors: dict[str, torch.Tensor]
    record: dict[str, Any]


def write_checkpoint(folder: Path, checkpoint: Checkpoint, *, key: str) -> None:
    """Write a checkpoint to `folder/STEP` and remove all but the newest `CHECKPOINTS_KEPT`.

    `key` stands for all that the training depends on; a checkpoint with another key is foreign. The manifest, written
    last, holds the checksum of each file.

    Raises:
        EnvironmentFault: The disk is full or read-only; the older checkpoints are still there.
    """
    for newer in _newest_first(folder):  # a refused one must not push out a good one
        if int(newer.name) > checkpoint.step:
            remove(newer)
    with publish(folder / f"{checkpoint.step:09d}") as partial:
        partial.mkdir()
        try:
            save_file(dict(checkpoint.tensors), partial / TENSORS)
        except SafetensorError as error:  # the library's error for a full disk
            raise OSError(str(error)) from error
        record = json_text({"key": key, "step": checkpoint.step, **checkpoint.record})
        (partial / RECORD).write_text(record, encoding="utf-8")
        sums = {name: sha256(partial / name) for name in (TENSORS, RECORD)}
        (partial / SUMS).write_text(json_text(sums), encoding="utf-8")
    for old in _newest_first(folder)[CHECKPOINTS_KEPT:]:
        remove(old)


def read_checkpoints(folder: Path, *, key: str) -> Iterator[Checkpoint | str]:
    """Yield the checkpoints of `folder`, newest first; for a damaged or foreign one the reason it is refused."""
    for path in _newest_first(folder):
        try:
            yield _read(path, key)
        except (EnvironmentFault, OSError, SafetensorError, KeyError, TypeError, AttributeError) as error:
            yield f"{path} is refused: {error}"


def remove_partial(folder: Path) -> None:
    """Remove the half-written checkpoints that a kill left behind."""
    for path in folder.glob("*.partial"):
        remove(path)


def _read(path: Path, key: str) -> Checkpoint:
    """Return one checkpoint.

    Raises:
        EnvironmentFault: A file is missing or differs from the manifest, or the checkpoint has another key.
    """
    manifest = read_json(path / SUMS)
    if not isinstance(manifest, Mapping) or set(manifest) != {TENSORS, RECORD}:
        raise EnvironmentFault(f"its manifest does not name {TENSORS} and {RECORD}")
    for name, expected in manifest.items():
        if not (path / name).is_file() or sha256(path / name) != expected:
            raise EnvironmentFault(f"{name} differs from its checksum")
    record = read_json(path / RECORD)
    if record.pop("key") != key:
        raise EnvironmentFault("it belongs to other data, parameters, code or versions")
    return Checkpoint(record.pop("step"), load_file(path / TENSORS), record)


def _newest_first(folder: Path) -> list[Path]:
    """Return the folders of whole checkpoints; those being written have names that are no numbers."""
    paths = [path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()] if folder.is_dir() else []
    return sorted(paths, key=lambda path: int(path.name), reverse=True)
