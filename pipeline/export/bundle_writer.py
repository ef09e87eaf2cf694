"""The making of a bundle: ONNX files, the gate of each, the tokenizer and model.json."""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from pipeline.calibration.decision import PLAIN, Decision
from pipeline.core.document import Document
from pipeline.core.files import sha256, write_json
from pipeline.export.onnx_files import write_fp32, write_int8
from pipeline.export.parity import Parity, compare_logits, judge_int8, require_equal
from pipeline.finetune.classification import Rows
from pipeline.models.batches import Ragged
from pipeline.models.device import Device
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, compute_logits
from pipeline.predict.bundle import FILES, MANIFEST, compute_version
from pipeline.predict.logits import compute_in_batches
from pipeline.predict.onnx_model import open_onnx
from pipeline.settings.production import ExportParams

_ROWS_COMPARED = 10_000  # of validation at most
_ROWS_PROBED = 100
_PACKAGES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime")
_CPU = Device(torch.device("cpu"), "fp32", "where the bundle runs")


def write_bundle(
    folder: Path,
    classifier: PreTrainedModel,
    model: Path,
    validation: Rows,
    params: ExportParams,
    *,
    labels: tuple[str, ...],
    max_length: int,
    decision: Document | None,
) -> Document:
    """Write the bundle of a classifier and its folder `model` to `folder`, which is new; return its model.json.

    int8 is shipped if it is as good on validation as `params` asks for.

    Raises:
        EnvironmentFault: The model cannot be exported, or the exported one computes something else.
    """
    folder.mkdir()
    write_fp32(classifier, folder / FILES["fp32"], max_length=max_length)
    write_int8(folder / FILES["fp32"], folder / FILES["int8"])
    shutil.copyfile(model / "tokenizer.json", folder / "tokenizer.json")
    pad_token_id = classifier.config.pad_token_id or 0
    compare = partial(compare_logits, labels=labels, decision=Decision(**decision) if decision else PLAIN)
    compared, probe = _compare_backends(folder, classifier, _spread(validation, _ROWS_COMPARED), pad_token_id, compare)
    require_equal(compared["fp32"])
    refused = judge_int8(compared["int8"], params)
    if refused:
        (folder / FILES["int8"]).unlink()
        del probe["logits"]["int8"]
    sources = (*sorted(model.glob("*.safetensors")), model / "tokenizer.json")
    manifest: Document = {
        "format": 1,
        "task": params.task,
        "labels": list(labels),
        "max_length": max_length,
        "pad_token_id": pad_token_id,
        "inputs": ["input_ids", "attention_mask"],
        "temperature": getattr(classifier.config, "calibration_temperature", None),
        "decision": decision,
        "parity": {**{name: numbers.document() for name, numbers in compared.items()}, "int8_refused": refused},
        "backends": [*probe["logits"]],
        "default": "fp32" if refused else "int8",
        "sources": {path.name: sha256(path) for path in sources},
        "versions": {package: version(package) for package in _PACKAGES},
        "version": "",
        "probe": probe,
    }
    manifest["version"] = compute_version(folder, manifest)
    write_json(folder / MANIFEST, manifest)
    return manifest


def _compare_backends(
    folder: Path, classifier: PreTrainedModel, rows: Rows, pad_token_id: int, compare: Callable[..., Parity]
) -> tuple[dict[str, Parity], Document]:
    """Return each backend beside the trained model on the rows, and the probe: dealt rows with their logits."""
    ids = [part.tolist() for part in np.split(rows.tokens.values, rows.tokens.offsets[1:-1])]
    trained = compute_logits(classifier, rows.tokens, _CPU, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE).numpy()
    compared: dict[str, Parity] = {}
    probe: Document = {"input_ids": deal_tokens(ids[:_ROWS_PROBED]), "logits": {}}
    for backend, name in FILES.items():
        compute = partial(
            compute_in_batches, open_onnx(folder / name, threads=0), classes=trained.shape[1], pad_token_id=pad_token_id
        )
        compared[backend] = compare(trained, compute(ids), rows.labels)
        probe["logits"][backend] = _rounded(compute(probe["input_ids"]))
    return compared, probe


def deal_tokens(ids: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return rows of the same lengths with all their tokens dealt out anew, so that no text can be read from them.

    A bundle is published, and the texts of the data are not. The first and the last token of a row, which are special
    in most encoders, stay if all rows have the same.
    """
    first, last = (len({row[at] for row in ids if row}) == 1 for at in (0, -1))
    inner = [[*row[int(first) : len(row) - int(last)]] for row in ids]
    pool = iter(np.random.default_rng(0).permutation([token for row in inner for token in row]).tolist())
    return [
        [*row[: int(first)], *(next(pool) for _ in own), *row[max(int(first), len(row) - int(last)) :]]
        for row, own in zip(ids, inner, strict=True)
    ]


def _spread(rows: Rows, most: int) -> Rows:
    """Return at most `most` rows, evenly spread over all."""
    chosen = np.unique(np.linspace(0, len(rows.ids) - 1, min(most, len(rows.ids))).round().astype(np.int64))
    tokens = rows.tokens
    parts = [tokens.values[tokens.offsets[row] : tokens.offsets[row + 1]] for row in chosen]
    offsets = np.concatenate([[0], np.cumsum(tokens.lengths[chosen])])
    ids = tuple(rows.ids[row] for row in chosen)
    return Rows(Ragged(np.concatenate(parts), offsets), rows.labels[chosen], ids)


def _rounded(logits: npt.NDArray[np.float32]) -> list[list[float]]:
    """Return logits as JSON has them; what is rounded away is far below what the probe allows."""
    return [[round(value, 5) for value in row] for row in logits.tolist()]
