"""The predictor: texts to token ids, token ids to class probabilities, by a bundle or by a model folder."""

import hashlib
import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from pipeline.calibration.decision import PLAIN, Decision
from pipeline.core.errors import REPRODUCE, EnvironmentFault, UsageError
from pipeline.core.files import read_json
from pipeline.examples.text import normalise
from pipeline.models.tokenizer import CHARS_PER_TOKEN, load_tokenizer
from pipeline.predict.bundle import FILES, MANIFEST, hash_files, read_manifest
from pipeline.predict.logits import CPU_BATCH_TOKENS, Compute, Ids, pad_batch, softmax
from pipeline.predict.probe import check_probe
from pipeline.settings.exported import READS_PAIRS, READS_WINDOWS, require_whole_texts

Backend = Literal["auto", "fp32", "int8", "torch"]
LONGEST = 1_000_000  # tokens; the library writes 1e30 if a tokenizer has no limit
INSTALL = {
    "onnxruntime": "Run `pip install onnxruntime`.",
    "torch": "Run `pip install torch transformers`, or use the bundle.",
}


class Predictor(NamedTuple):
    """A finished model, ready to answer.

    Args:
        task: Its name.
        version: The SHA-256 of all that decides its answers.
        backend: What computes: fp32 or int8 in ONNX Runtime, or torch.
        labels: Its classes, in the order of the probabilities.
        max_length: Tokens at which a text is cut.
        decision: How a class is chosen from the probabilities.
        tokenizer: The tokenizer it was trained with.
        pad_token_id: The id that pads a batch.
        compute: Logits, (B, C), of padded ids and their mask, each (B, T).
        batch_tokens: Padded tokens of a batch with which it is fastest.
    """

    task: str
    version: str
    backend: str
    labels: tuple[str, ...]
    max_length: int
    decision: Decision
    tokenizer: Tokenizer
    pad_token_id: int
    compute: Compute
    batch_tokens: int

    @property
    def max_chars(self) -> int:
        """The number of characters of a text beyond which no token is read."""
        return self.max_length * CHARS_PER_TOKEN

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of texts, put into their normal form and cut as the training texts were."""
        encodings = self.tokenizer.encode_batch_fast([normalise(text)[: self.max_chars] for text in texts])
        return [encoding.ids for encoding in encodings]

    def probabilities(self, ids: Ids) -> npt.NDArray[np.float64]:
        """Return the class probabilities of one batch, (N, C): its rows are padded to the longest and computed at once.

        The int8 backend scales the numbers of a batch together, so there the rows of a batch change each other's last
        digits.
        """
        if not ids:
            return np.zeros((0, len(self.labels)))
        return softmax(self.compute(*pad_batch(ids, self.pad_token_id)))


def load_predictor(folder: Path, *, backend: Backend = "auto", threads: int = 0) -> Predictor:
    """Return the predictor of a bundle (`export`) or of a model folder (`finetune`).

    `backend` auto is the bundle's default, and torch for a model folder. `threads` 0 is one a core.

    Raises:
        UsageError: The folder has no such backend, or its model reads pairs of texts or windows.
        EnvironmentFault: A file is missing or damaged, or this processor computes other answers than the bundle's.
    """
    if (folder / MANIFEST).is_file():
        return _load_bundle(folder, backend, threads)
    if (folder / "config.json").is_file():
        return _load_folder(folder, backend, threads)
    raise EnvironmentFault(f"{folder}: neither a bundle nor a model, no {MANIFEST} and no config.json. {REPRODUCE}")


def _load_bundle(folder: Path, backend: Backend, threads: int) -> Predictor:
    manifest = read_manifest(folder)
    name = manifest.default if backend == "auto" else backend
    if name == "torch" or name not in manifest.backends:
        raise UsageError(f"{folder}: no backend {name}. Choose one of {', '.join(manifest.backends)}.")
    compute: Compute = import_backend("onnx_model", "onnxruntime").open_onnx(folder / FILES[name], threads=threads)
    check_probe(folder, manifest, name, compute)
    return Predictor(
        task=manifest.task,
        version=manifest.version,
        backend=name,
        labels=manifest.labels,
        max_length=manifest.max_length,
        decision=PLAIN if manifest.decision is None else Decision(**manifest.decision.model_dump()),
        tokenizer=load_tokenizer(folder, max_length=manifest.max_length),
        pad_token_id=manifest.pad_token_id,
        compute=compute,
        batch_tokens=CPU_BATCH_TOKENS,
    )


def _load_folder(folder: Path, backend: Backend, threads: int) -> Predictor:
    if backend not in ("auto", "torch"):
        raise UsageError(f"{folder}: no backend {backend}, it is no bundle. Choose torch, or export the model.")
    folder = folder.resolve()
    config = read_json(folder / "config.json")
    max_length = read_json(folder / "tokenizer_config.json").get("model_max_length")
    if not isinstance(config.get("id2label"), dict) or not isinstance(max_length, int) or max_length > LONGEST:
        raise EnvironmentFault(
            f"{folder}: not a model that `finetune` has saved, no classes or no largest length. Name another folder."
        )
    require_whole_texts(folder.name, pairs=READS_PAIRS in config, windows=READS_WINDOWS in config)
    labels = tuple(name for _, name in sorted(config["id2label"].items(), key=lambda item: int(item[0])))
    decision = _find_decision(folder)
    compute, batch_tokens = import_backend("torch_model", "torch").open_torch(folder, labels=labels, threads=threads)
    return Predictor(
        task=folder.name,
        version=hashlib.sha256(f"{hash_files(folder)}\n{list(decision)}".encode()).hexdigest(),
        backend="torch",
        labels=labels,
        max_length=max_length,
        decision=decision,
        tokenizer=load_tokenizer(folder, max_length=max_length),
        pad_token_id=config.get("pad_token_id") or 0,
        compute=compute,
        batch_tokens=batch_tokens,
    )


def list_decision_files(folder: Path) -> tuple[Path, ...]:
    """Return where the decision of a model folder may stand: put into it by `publish`, or beside it by `calibrate`.

    The first that is there counts. A bundle has its decision in model.json, and none of these files.
    """
    if (folder / MANIFEST).is_file():
        return ()
    folder = folder.resolve()
    return folder / "calibration.json", folder.parent.parent / "calibration" / f"{folder.name}.json"


def _find_decision(folder: Path) -> Decision:
    """Return the decision of a model folder; the plain one if there is none."""
    files = (path for path in list_decision_files(folder) if path.is_file())
    return next((Decision(**read_json(path)["decision"]) for path in files), PLAIN)


def import_backend(module: str, package: str) -> ModuleType:
    """Return the module that computes by a package, imported only if it is used.

    Raises:
        EnvironmentFault: The package is not installed.
    """
    try:
        return importlib.import_module(f"pipeline.predict.{module}")
    except ModuleNotFoundError as error:
        raise EnvironmentFault(f"{package}: not installed, {error}. {INSTALL[package]}") from error
