"""The predictor: questions to rows, rows to what answers are made of, by a bundle or by a model folder."""

import hashlib
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from pipeline.core.errors import REPRODUCE, EnvironmentFault, UsageError, listed
from pipeline.core.files import read_json
from pipeline.core.stage import list_kinds
from pipeline.predict.bundle import FILES, MANIFEST, Manifest, hash_files, read_manifest
from pipeline.predict.forms.form import adapt_answers
from pipeline.predict.kind import FACET, Answers, load_answers, match_answers
from pipeline.predict.logits import (
    CPU_BATCH_TOKENS,
    Collate,
    Compute,
    ModelRows,
    compute_in_batches,
    compute_tokens_in_batches,
)
from pipeline.predict.probe import check_probe
from pipeline.predict.questions import Prepared

Backend = Literal["auto", "fp32", "int8", "torch", "linear"]
LINEAR = "linear"  # the backend of a folder that another module opens, `predict/linear/predictor.py`
INSTALL = {
    "onnxruntime": "Run `pip install onnxruntime`.",
    "torch": "Run `pip install torch transformers`, or use the bundle.",
    "linear": "Run `pip install scikit-learn safetensors python-crfsuite`.",
}


class Predictor(NamedTuple):
    """A finished model, ready to answer.

    Args:
        task: Its name.
        kind: The kind of the task.
        answers: How it answers: as models of the kind do that read texts in the same form.
        version: The SHA-256 of all that decides its answers.
        backend: What computes: fp32 or int8 in ONNX Runtime, or torch.
        labels: The names of its outputs, in their order, say its classes.
        max_length: Tokens at which a text is cut; of images those that one counts as.
        decision: What else its answers follow, say how a class is chosen from the probabilities.
        tokenizer: The tokenizer it was trained with, as the questions of the kind read by it.
        collate: A batch of rows, padded.
        compute: Logits, (B, C) or (B, T, C), of the arrays of a batch.
        batch_tokens: Padded tokens of a batch with which it is fastest.
    """

    task: str
    kind: str
    answers: Answers
    version: str
    backend: str
    labels: tuple[str, ...]
    max_length: int
    decision: Any
    tokenizer: Any
    collate: Collate
    compute: Compute
    batch_tokens: int

    def fit(self, question: Any) -> Any:
        """Return a question without what the model does not reach.

        Raises:
            Unanswerable: The model cannot read it.
        """
        return self.answers.questions.fit(self.tokenizer, self.max_length, question)

    def prepare(self, questions: Sequence[Any]) -> Prepared:
        """Return questions with what the model reads of them."""
        return self.answers.questions.prepare(self.tokenizer, self.max_length, questions)

    def encode(self, questions: Sequence[Any]) -> list[Any]:
        """Return the rows of questions."""
        return self.prepare(questions).rows

    def compute_logits(self, rows: ModelRows, advance: Callable[[int], object] = lambda _: None) -> Any:
        """Return the logits of any number of rows; `advance` is called with the number of those just computed."""
        common: Any = {"collate": self.collate, "batch_tokens": self.batch_tokens, "advance": advance}
        if self.answers.reads == "every token":
            return compute_tokens_in_batches(self.compute, rows, **common)
        return compute_in_batches(self.compute, rows, classes=len(self.labels), **common)

    def compute_outputs(self, rows: ModelRows, advance: Callable[[int], object] = lambda _: None) -> Any:
        """Return the outputs of any number of rows; otherwise this is `compute_logits`."""
        return self.answers.activate(self.compute_logits(rows, advance))

    def predict(self, rows: ModelRows) -> Any:
        """Return the outputs of the rows of one batch, which are padded to the longest and computed at once.

        The int8 backend scales the numbers of a batch together, so there the rows of a batch change each other's last
        digits.
        """
        if not rows:
            return np.zeros((0, len(self.labels)))
        logits = self.compute(self.collate(rows))
        if self.answers.reads == "every token":
            return self.answers.activate([own[: len(row)] for own, row in zip(logits, rows, strict=True)])
        return self.answers.activate(logits)


def load_predictor(folder: Path, *, backend: Backend = "auto", threads: int = 0) -> Predictor:
    """Return the predictor of a bundle (`export`) or of a model folder (`finetune`).

    `backend` auto is the bundle's default, and torch for a model folder. `threads` 0 is one a core.

    Raises:
        UsageError: The folder has no such backend.
        EnvironmentFault: A file is missing or damaged, or this processor computes other answers than the bundle's.
    """
    if (folder / MANIFEST).is_file():
        return _load_bundle(folder, backend, threads)
    if (folder / "config.json").is_file():
        return _load_folder(folder, backend, threads)
    raise EnvironmentFault(f"{folder}: neither a bundle nor a model, no {MANIFEST} and no config.json. {REPRODUCE}")


def find_kind(folder: Path) -> str:
    """Return the kind of the task of a bundle or of a model folder: as the project says that has it, or by its head.

    Raises:
        UsageError: It is of none that is answered.
        EnvironmentFault: A file is missing or damaged.
    """
    if (folder / MANIFEST).is_file():
        return str(read_json(folder / MANIFEST).get("kind", Manifest.model_fields["kind"].default))
    project = folder.resolve().parent.parent / "params.json"
    kinds = read_json(project).get("kinds", {}) if project.is_file() else {}
    kind = kinds.get(folder.name) or match_answers(read_json(folder / "config.json"))
    if kind is None:
        raise UsageError(
            f"{folder}: its model is of no kind that has answers. Name one of the kinds {listed(list_kinds(FACET))}."
        )
    return kind


def find_answers(folder: Path) -> Answers:
    """Return how the model of a bundle or of a model folder answers: as its kind does, in the form in which it reads.

    Raises:
        UsageError: It is of no kind that is answered.
        EnvironmentFault: A file is missing or damaged.
    """
    name = MANIFEST if (folder / MANIFEST).is_file() else "config.json"
    return adapt_answers(load_answers(find_kind(folder), str(folder)), read_json(folder / name))


def _load_bundle(folder: Path, backend: Backend, threads: int) -> Predictor:
    manifest = read_manifest(folder)
    name = manifest.default if backend == "auto" else backend
    if name == "torch" or name not in manifest.backends:
        raise UsageError(f"{folder}: no backend {name}. Choose one of {', '.join(manifest.backends)}.")
    compute: Compute = import_backend("onnx_model", "onnxruntime").open_onnx(folder / FILES[name], threads=threads)
    answers = find_answers(folder)
    reader = answers.questions.open(folder, manifest.max_length)
    check_probe(folder, manifest, answers, reader, name, compute)
    return Predictor(
        task=manifest.task,
        kind=manifest.kind,
        answers=answers,
        version=manifest.version,
        backend=name,
        labels=manifest.labels,
        max_length=manifest.max_length,
        decision=answers.decide(manifest.decision),
        tokenizer=reader,
        collate=answers.questions.reading.collate(reader, manifest.pad_token_id),
        compute=compute,
        batch_tokens=CPU_BATCH_TOKENS,
    )


def _load_folder(folder: Path, backend: Backend, threads: int) -> Predictor:
    if backend not in ("auto", "torch"):
        raise UsageError(f"{folder}: no backend {backend}, it is no bundle. Choose torch, or export the model.")
    folder = folder.resolve()
    kind, answers = find_kind(folder), find_answers(folder)
    config = read_json(folder / "config.json")
    questions = answers.questions
    max_length = questions.reading.measure(folder)
    if not isinstance(config.get("id2label"), dict) or max_length is None:
        raise EnvironmentFault(
            f"{folder}: not a model that `finetune` has saved, no classes or no largest length. Name another folder."
        )
    labels = tuple(name for _, name in sorted(config["id2label"].items(), key=lambda item: int(item[0])))
    decision = answers.decide(_find_kept(folder, answers))
    open_torch = import_backend("torch_model", "torch").open_torch
    compute, batch_tokens = open_torch(folder, answers.opener, answers.reads, labels=labels, threads=threads)
    reader = questions.open(folder, max_length)
    return Predictor(
        task=folder.name,
        kind=kind,
        answers=answers,
        version=hashlib.sha256(f"{hash_files(folder)}\n{list(decision)}".encode()).hexdigest(),
        backend="torch",
        labels=labels,
        max_length=max_length,
        decision=decision,
        tokenizer=reader,
        collate=questions.reading.collate(reader, config.get("pad_token_id") or 0),
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


def _find_kept(folder: Path, answers: Answers) -> Any:
    """Return what is kept of the calibration of a model folder; None if it has none."""
    files = (path for path in list_decision_files(folder) if path.is_file())
    return next((answers.keep(read_json(path)) for path in files), None)


def import_backend(module: str, package: str) -> ModuleType:
    """Return the module that computes by a package, imported only if it is used.

    Raises:
        EnvironmentFault: The package is not installed.
    """
    try:
        return importlib.import_module(f"pipeline.predict.{module}")
    except ModuleNotFoundError as error:
        raise EnvironmentFault(f"{package}: not installed, {error}. {INSTALL[package]}") from error
