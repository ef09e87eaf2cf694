"""The folder of a linear baseline: `linear.json` and `weights.safetensors`; equal baselines give equal bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from pipeline.core.document import Document, Strict, describe_mismatch, json_text
from pipeline.core.errors import REPRODUCE, EnvironmentFault, UsageError
from pipeline.core.files import publish, read_utf8, sha256
from pipeline.settings.shared.text_forms import READS_PAIRS

LINEAR_MANIFEST, WEIGHTS = "linear.json", "weights.safetensors"
BETWEEN = "\0"  # two texts that are read as one; no text in its normal form has it

Form = Literal["classes", "labels", "numbers", "tags"]
LinearWeights = Mapping[str, npt.NDArray[Any]]


class NgramWeights(NamedTuple):
    """The n-grams of one kind (`words`, `characters`) that are features, up to `longest`, and their weights, (F,)."""

    kind: str
    longest: int
    terms: list[str]
    idf: npt.NDArray[np.float64]


class SavedLinear(NamedTuple):
    """A linear baseline, ready to be saved.

    Args:
        kind: The kind of its task.
        form: What its outputs are of.
        name: Its column in data/baselines.
        choice: What validation has chosen, a line.
        decision: What its answers follow besides, as `Answers.decide` reads it.
        ngrams: Those of its features, in the order of the features; none if it has others.
        arrays: Its weights.
        pairs: Whether it reads pairs of texts.
    """

    kind: str
    form: Form
    name: str
    choice: str
    decision: Any
    ngrams: Sequence[NgramWeights]
    arrays: LinearWeights
    pairs: bool = False


class OpenedLinear(NamedTuple):
    """A linear baseline out of its folder: its task, the classes, and the SHA-256 of all that decides its answers."""

    task: str
    labels: tuple[str, ...]
    version: str
    saved: SavedLinear


class _Ngrams(Strict):
    kind: Literal["words", "characters"]
    longest: int
    terms: tuple[str, ...]


class _Manifest(Strict):
    format: Literal[1]
    task: str
    kind: str | None  # None if the task has no linear baseline that could be asked
    form: Form | None
    name: str
    choice: str
    labels: tuple[str, ...]
    decision: Any
    weights: str
    ngrams: tuple[_Ngrams, ...]
    reads_pairs: bool = False


def write_linear(out: Path, saved: SavedLinear | None, *, task: str, labels: Sequence[str]) -> None:
    """Publish the folder of a task's linear baseline; of a task that has none, it says so."""
    from safetensors.numpy import save  # noqa: PLC0415  # a bundle is served without it

    with publish(out) as partial:
        partial.mkdir()
        about: Document = dict.fromkeys(("kind", "form", "decision")) | dict.fromkeys(("name", "choice", "weights"), "")
        about["ngrams"] = []
        if saved is not None:
            idf = {_name_idf(part.kind): part.idf for part in saved.ngrams}
            arrays = {**saved.arrays, **idf}
            # Not `save_file`, whose file its owner alone may read.
            weights = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
            (partial / WEIGHTS).write_bytes(weights)
            about |= {"kind": saved.kind, "form": saved.form, "name": saved.name, "choice": saved.choice}
            about |= {"decision": saved.decision, **({READS_PAIRS: True} if saved.pairs else {})}
            about["weights"] = sha256(partial / WEIGHTS)
            about["ngrams"] = [{"kind": n.kind, "longest": n.longest, "terms": n.terms} for n in saved.ngrams]
        document = {"format": 1, "task": task, "labels": [*labels], **about}
        (partial / LINEAR_MANIFEST).write_text(json_text(document), encoding="utf-8")


def read_linear(folder: Path) -> OpenedLinear:
    """Return the linear baseline of a folder, once it is known to be as it was made.

    Raises:
        UsageError: Its task has none.
        EnvironmentFault: A file is missing, damaged, changed or of another version of the format.
    """
    from safetensors.numpy import load_file  # noqa: PLC0415  # a bundle is served without it

    manifest, weights = _read_manifest(folder), folder / WEIGHTS
    kind, form = _require_kind(folder, manifest)
    if not weights.is_file() or sha256(weights) != manifest.weights:
        raise EnvironmentFault(f"{weights}: missing, or not as it was made. {REPRODUCE}")
    arrays = load_file(weights)
    ngrams = [
        NgramWeights(part.kind, part.longest, [*part.terms], arrays.pop(_name_idf(part.kind)))
        for part in manifest.ngrams
    ]
    how = (manifest.name, manifest.choice, manifest.decision)
    saved = SavedLinear(kind, form, *how, ngrams, arrays, manifest.reads_pairs)
    return OpenedLinear(manifest.task, manifest.labels, sha256(folder / LINEAR_MANIFEST), saved)


def find_linear_kind(folder: Path) -> str:
    """Return the kind of the task of a linear baseline.

    Raises:
        UsageError: Its task has none.
        EnvironmentFault: The folder is damaged.
    """
    return _require_kind(folder, _read_manifest(folder))[0]


def _require_kind(folder: Path, manifest: _Manifest) -> tuple[str, Form]:
    if manifest.kind is None or manifest.form is None:
        raise UsageError(
            f"{folder}: {manifest.task} has no linear baseline that answers, since its kind saves none. Name another "
            "task or backend."
        )
    return manifest.kind, manifest.form


def _read_manifest(folder: Path) -> _Manifest:
    path = folder / LINEAR_MANIFEST
    try:
        return _Manifest.model_validate_json(read_utf8(path))
    except ValidationError as error:
        raise EnvironmentFault(f"{path}: no linear baseline, {describe_mismatch(error)}. {REPRODUCE}") from error


def _name_idf(kind: str) -> str:
    return f"idf_{kind}"
