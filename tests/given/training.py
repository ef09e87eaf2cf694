"""A small training: rows that can be learned, a tiny classifier and its parameters."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from pipeline.finetune.classification import CLASSES, Rows
from pipeline.models.batches import to_ragged
from pipeline.models.device import Device
from pipeline.models.folder import build_classifier, save_model
from pipeline.models.layers import freeze
from pipeline.models.tokenizer import save_tokenizer
from pipeline.settings.shared.classes import ClassifierParams
from pipeline.train.training import Trained, Training

DEVICE = Device(torch.device("cpu"), "fp32", "a test")


PARAMS = ClassifierParams(
    task="t", kind="text-classification", epochs=3, batch_tokens=64, batch_size=8, learning_rate=5e-3, layer_decay=1.0,
    accumulate=1, schedule="linear", warmup=0.1,
    weight_decay=0.01, max_grad_norm=1.0, label_smoothing=0.0, class_weights="none", dropout=0.0,
    freeze_embeddings=False, freeze_layers=0, lora=None,
    metric="macro_f1", evaluations=2, patience=100, precision="fp32",
    attention="eager", threads=1, seed=0,
)  # fmt: skip


def with_params(**changes: object) -> ClassifierParams:
    return PARAMS.model_copy(update=changes)


def rows(count: int, *, seed: int = 0) -> Rows:
    """Sequences whose class is whether they hold token 7."""
    rng = np.random.default_rng(seed)
    sequences = [[2, *rng.integers(8, 60, rng.integers(2, 9)).tolist(), 3] for _ in range(count)]
    labels = rng.integers(0, 2, count)
    for sequence, label in zip(sequences, labels, strict=True):
        if label:
            sequence[rng.integers(1, len(sequence) - 1)] = 7
    return Rows(to_ragged(pa.array(sequences, pa.list_(pa.int32()))), labels, tuple(f"id{i}" for i in range(count)))


def model(encoder, params: ClassifierParams = PARAMS, classes: int = 2):
    classifier = build_classifier(encoder, [str(i) for i in range(classes)], dropout=params.dropout, seed=0)
    freeze(classifier, embeddings=params.freeze_embeddings, layers=params.freeze_layers)
    return classifier


def save_classifier(model, encoder: Path, out: Path, *, max_length: int) -> None:
    """Save a model with the tokenizer of its encoder, as `finetune` does."""
    save_model(model, lambda folder: save_tokenizer(encoder, folder, max_length=max_length), out)


def fit(model, train: Rows, validation: Rows, params: ClassifierParams, device: Device) -> Trained:
    training = Training(model, train, validation, params, device, CLASSES)
    while not training.finished:
        training.advance()
    return training.result()


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
