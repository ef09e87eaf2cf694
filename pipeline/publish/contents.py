"""The contents of a publication: which files may go, under which names, and the version that they make."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipeline.core.files import sha256
from pipeline.models.tokenizer import TOKENIZER_FILES
from pipeline.predict.bundle import FILES, MANIFEST

BUNDLE = "onnx"  # the folder of the bundle
PROVENANCE = "provenance.json"
NUMBERS = {"metrics.json": "data/metrics/{}.json", "calibration.json": "data/calibration/{}.json"}  # kept by Git
# Whatever else a folder holds stays: a checkpoint or an optimizer's state may be a pickle, which runs code when read.
_MODEL_NAMES = frozenset({"config.json", "model.safetensors", "model.safetensors.index.json", *TOKENIZER_FILES})
_BUNDLE_NAMES = frozenset({*FILES.values(), MANIFEST, "tokenizer.json"})
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")


class PublishedFile(NamedTuple):
    """A file of a publication: its path there, its bytes, and their SHA-256."""

    path: str
    size: int
    sha256: str


def may_publish(path: str) -> bool:
    """Return whether a file of the model folder, or (below `onnx/`) of the bundle, may go, by its name."""
    folder, _, name = path.rpartition("/")
    if folder == BUNDLE:
        return name in _BUNDLE_NAMES
    return not folder and (name in _MODEL_NAMES or _SHARD.fullmatch(name) is not None)


def list_contents(folder: Path) -> list[PublishedFile]:
    """Return the files of a folder and of those in it, sorted by path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [PublishedFile(path.relative_to(folder).as_posix(), path.stat().st_size, sha256(path)) for path in paths]


def compute_content_version(files: Iterable[PublishedFile]) -> str:
    """Return the version of the files, 16 hexadecimal digits of the SHA-256 of their paths and contents.

    `provenance.json` does not count, so a commit that changes nothing in a model makes no new version of it.
    """
    lines = "".join(f"{file.path} {file.sha256}\n" for file in sorted(files) if file.path != PROVENANCE)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
