"""The bundle of a model: ONNX files, the tokenizer, and model.json: how to use them, and what proves them whole."""

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from pipeline.core.document import Document, Strict, describe_mismatch, json_text
from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.core.files import read_json, sha256
from pipeline.settings.fields import Count, Text

MANIFEST = "model.json"
FILES: dict[str, str] = {"fp32": "model.onnx", "int8": "model.int8.onnx"}  # by backend

OnnxBackend = Literal["fp32", "int8"]


class Probe(Strict):
    """Rows, and the logits that each backend gave them when the bundle was made.

    Of texts they are those of the validation split with their tokens dealt out anew; of images, which nobody has taken,
    the bytes of each in base64.
    """

    input_ids: tuple[tuple[int, ...], ...] | None = None
    images: tuple[str, ...] | None = None
    token_type_ids: tuple[tuple[int, ...], ...] | None = None
    logits: dict[OnnxBackend, tuple[tuple[float, ...], ...] | tuple[tuple[tuple[float, ...], ...], ...]]


class Manifest(Strict):
    """The content of model.json."""

    format: Literal[1]
    task: Text
    kind: Text = "text-classification"  # as in bundles that were made when there was no other
    labels: tuple[Text, ...]
    max_length: Count
    reads_pairs: bool = False  # as in the config.json of the model
    reads_windows: int | None = None
    pad_token_id: int = Field(ge=0)
    inputs: tuple[Literal["input_ids", "attention_mask", "token_type_ids", "pixel_values"], ...]
    temperature: float | None
    decision: Any  # what the kind keeps of a calibration
    parity: Document
    backends: tuple[OnnxBackend, ...]
    default: OnnxBackend
    sources: dict[str, str]
    versions: dict[str, str]
    version: str
    probe: Probe


def compute_version(folder: Path, manifest: Document) -> str:
    """Return the SHA-256 of a bundle, 64 hexadecimal digits: of the files beside model.json, and of its other keys."""
    keys = json_text({**manifest, "version": ""})
    return hashlib.sha256(f"{hash_files(folder)}\n{keys}".encode()).hexdigest()


def hash_files(folder: Path) -> str:
    """Return the SHA-256 of the names and bytes of a folder's files but model.json, 64 hexadecimal digits."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    return hashlib.sha256("".join(f"{name} {sha256(folder / name)}\n" for name in names).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Return the content of a bundle's model.json, once the whole bundle is known to be as it was made.

    Raises:
        EnvironmentFault: A file is missing, damaged, changed or of another version of the format.
    """
    path = folder / MANIFEST
    document = read_json(path)
    try:
        manifest = Manifest.model_validate_json(json_text(document))
    except ValidationError as error:
        raise EnvironmentFault(f"{path}: not that of a bundle, {describe_mismatch(error)}. {REPRODUCE}") from error
    if compute_version(folder, document) != manifest.version:
        raise EnvironmentFault(f"{folder}: the bundle is not as it was made, a file is changed or missing. {REPRODUCE}")
    return manifest


def list_outdated(folder: Path, model: Path) -> list[str]:
    """Return the files of a model folder that are no longer those of which a bundle was made, by name.

    Files that are not there are left out: a bundle needs no model beside it.
    """
    sources: dict[str, str] = read_json(folder / MANIFEST).get("sources", {})
    present = {name: model / name for name in sources if (model / name).is_file()}
    return [name for name, path in present.items() if sha256(path) != sources[name]]
