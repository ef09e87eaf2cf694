"""Checkpoints on disk: tensors and a record in a folder that is whole or is refused, with a reason."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pipeline.core.document import json_text
from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import publish, read_json, remove, sha256

KEPT = 2
TENSORS, RECORD, MANIFEST = "tensors.safetensors", "record.json", "manifest.json"


class Checkpoint(NamedTuple):
    """What one folder holds: `step` updates are done."""

    step: int
    tensors: dict[str, torch.Tensor]
    record: dict[str, Any]


def write(folder: Path, found: Checkpoint, *, key: str) -> None:
    """Write a checkpoint to `folder/STEP` and remove all but the newest `KEPT`.

    `key` says what the training depends on; a checkpoint with another key is foreign. The manifest, written last, holds
    the checksum of each file.

    Raises:
        EnvironmentFault: The disk is full or does not let us write; the older checkpoints are still there.
    """
    for newer in _newest_first(folder):  # one that was refused must not take the place of a good one
        if int(newer.name) > found.step:
            remove(newer)
    with publish(folder / f"{found.step:09d}") as partial:
        partial.mkdir()
        try:
            save_file(dict(found.tensors), partial / TENSORS)
        except SafetensorError as error:  # what the library makes of a full disk
            raise OSError(str(error)) from error
        (partial / RECORD).write_text(json_text({"key": key, "step": found.step, **found.record}), encoding="utf-8")
        sums = {name: sha256(partial / name) for name in (TENSORS, RECORD)}
        (partial / MANIFEST).write_text(json_text(sums), encoding="utf-8")
    for old in _newest_first(folder)[KEPT:]:
        remove(old)


def read(folder: Path, *, key: str) -> Iterator[Checkpoint | str]:
    """Yield the checkpoints of `folder`, newest first; for one that is damaged or foreign, the reason it is refused."""
    for path in _newest_first(folder):
        try:
            yield _read(path, key)
        except (EnvironmentFault, OSError, SafetensorError, KeyError, TypeError, AttributeError) as error:
            yield f"{path} is refused: {error}"


def tidy(folder: Path) -> None:
    """Remove what a kill left half written."""
    for path in folder.glob("*.partial"):
        remove(path)


def _read(path: Path, key: str) -> Checkpoint:
    """Return one checkpoint.

    Raises:
        EnvironmentFault: A file is missing, differs from the manifest, or the checkpoint is of another training.
    """
    manifest = read_json(path / MANIFEST)
    if not isinstance(manifest, Mapping) or set(manifest) != {TENSORS, RECORD}:
        raise EnvironmentFault(f"its manifest does not name {TENSORS} and {RECORD}")
    for name, expected in manifest.items():
        if not (path / name).is_file() or sha256(path / name) != expected:
            raise EnvironmentFault(f"{name} is not what was written")
    record = read_json(path / RECORD)
    if record.pop("key") != key:
        raise EnvironmentFault("it is of other data, parameters, code or versions")
    return Checkpoint(record.pop("step"), load_file(path / TENSORS), record)


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name), reverse=True)
