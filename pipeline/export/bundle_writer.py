"""The making of a bundle: ONNX files, the gate of each, the tokenizer and model.json."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
import transformers
from transformers import PreTrainedModel

from pipeline.core.document import Document
from pipeline.core.files import sha256, write_json
from pipeline.core.tables import labels_of
from pipeline.evaluate.kind import Measures
from pipeline.export.onnx_files import write_fp32, write_int8
from pipeline.export.parity import BackendComparison, LogitPair, compare_outputs, judge_int8, require_equal
from pipeline.models.batches import Ragged
from pipeline.models.device import Device
from pipeline.models.folder import load_model
from pipeline.models.heads import Head, name_classes
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, Feed, compute_logits, compute_token_logits
from pipeline.models.inputs import max_length_of
from pipeline.models.tokenizer import TYPES
from pipeline.predict.bundle import FILES, MANIFEST, compute_version, pair_types
from pipeline.predict.forms.form import list_form
from pipeline.predict.kind import Answers
from pipeline.predict.logits import compute_in_batches, compute_tokens_in_batches
from pipeline.predict.onnx_model import open_onnx
from pipeline.settings.production import ExportParams

_ROWS_COMPARED = 10_000  # of validation at most
_ROWS_PROBED = 100
_PACKAGES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime")
_CPU = Device(torch.device("cpu"), "fp32", "where the bundle runs")


class TrainedModel(NamedTuple):
    """A trained model to export.

    Args:
        model: The model itself.
        folder: Its folder.
        answers: How models of the kind answer.
        measures: How they are measured.
        feed: How rows of the task's inputs are given to them.
        labels: The names of its outputs.
        max_length: Tokens at which texts are cut.
        kept: What a bundle keeps of the task's calibration.
    """

    model: PreTrainedModel
    folder: Path
    answers: Answers
    measures: Measures
    feed: Feed
    labels: tuple[str, ...]
    max_length: int
    kept: Any

    @property
    def pad_token_id(self) -> int:
        """The id that pads a batch."""
        return int(self.model.config.pad_token_id or 0)


def open_trained(
    folder: Path, answers: Answers, measures: Measures, feed: Feed, inputs: pa.Table, calibration: Document
) -> TrainedModel:
    """Return the model of a folder, whose task has these inputs and this calibration.

    Raises:
        DataError: The model has other classes than its inputs.
        EnvironmentFault: A file is missing or damaged.
    """
    labels = answers.outputs(labels_of(inputs))
    model = load_model(folder, Head(getattr(transformers, answers.opener), name_classes(labels)))
    kept = answers.keep(calibration)
    return TrainedModel(model, folder, answers, measures, feed, labels, max_length_of(inputs), kept)


def write_bundle(folder: Path, trained: TrainedModel, validation: pa.Table, params: ExportParams) -> Document:
    """Write the bundle of a model to `folder`, which is new; return its model.json.

    int8 is shipped if it is as good on `validation`, rows of the task's inputs, as `params` asks for.

    Raises:
        EnvironmentFault: The model cannot be exported, or the exported one computes something else.
    """
    folder.mkdir()
    rows = spread_rows(validation, _ROWS_COMPARED)
    inputs = list_inputs(trained.feed.rows(rows))
    write_fp32(trained.model, folder / FILES["fp32"], inputs, max_length=trained.max_length)
    write_int8(folder / FILES["fp32"], folder / FILES["int8"])
    shutil.copyfile(trained.folder / "tokenizer.json", folder / "tokenizer.json")
    compared, probe = _compare_backends(folder, trained, rows)
    require_equal(compared["fp32"])
    refused = judge_int8(compared["int8"], params)
    if refused:
        (folder / FILES["int8"]).unlink()
        del probe["logits"]["int8"]
    sources = (*sorted(trained.folder.glob("*.safetensors")), trained.folder / "tokenizer.json")
    manifest: Document = {
        "format": 1,
        "task": params.task,
        "kind": params.kind,
        "labels": list(trained.labels),
        "max_length": trained.max_length,
        "pad_token_id": trained.pad_token_id,
        "inputs": [*inputs],
        **list_form(trained.model.config.to_dict()),
        "temperature": getattr(trained.model.config, "calibration_temperature", None),
        "decision": trained.kept,
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
    folder: Path, trained: TrainedModel, rows: pa.Table
) -> tuple[dict[str, BackendComparison], Document]:
    """Return each backend beside the trained model on the rows, and the probe: dealt rows with their logits."""
    answers, labels = trained.answers, trained.labels
    tokens = trained.feed.rows(rows)
    expected, ids = _compute_trained(trained, tokens), _list_rows(tokens)
    decision = answers.decide(trained.kept)
    compared: dict[str, BackendComparison] = {}
    probe = _deal_rows(tokens.first(_ROWS_PROBED))
    probed = pair_types(probe["input_ids"], probe.get(TYPES))
    for backend, name in FILES.items():
        opened, pad = open_onnx(folder / name, threads=0), trained.pad_token_id
        compute: Callable[[Any], Any] = partial(compute_tokens_in_batches, opened, pad_token_id=pad)
        if answers.reads == "first token":
            compute = partial(compute_in_batches, opened, classes=len(labels), pad_token_id=pad)
        pair = LogitPair(expected, compute(ids))
        compared[backend] = compare_outputs(answers, trained.measures, pair, rows, labels=labels, decision=decision)
        probe["logits"][backend] = _rounded(compute(probed))
    return compared, probe


def list_inputs(tokens: Ragged) -> tuple[str, ...]:
    """Return the inputs of a model that reads some rows, in their order."""
    return ("input_ids", "attention_mask", *(() if tokens.types is None else (TYPES,)))


def _list_rows(tokens: Ragged) -> list[Any]:
    """Return the token ids of each row, (T,), or with their types, (T, 2)."""
    values = tokens.values if tokens.types is None else np.stack([tokens.values, tokens.types], axis=1)
    return np.split(values, tokens.offsets[1:-1])


def _deal_rows(tokens: Ragged) -> Document:
    """Return the rows of a probe, without logits; the types are theirs, the tokens are dealt."""
    probe: Document = {"input_ids": deal_tokens([row.tolist() for row in _list_rows(tokens._replace(types=None))])}
    if tokens.types is not None:
        probe[TYPES] = [row.tolist() for row in np.split(tokens.types, tokens.offsets[1:-1])]
    return probe | {"logits": {}}


def _compute_trained(trained: TrainedModel, tokens: Ragged) -> Any:
    """Return the logits of rows by the trained model: (N, C), or of every token of each, (T, C)."""
    if trained.answers.reads == "first token":
        return compute_logits(trained.model, tokens, _CPU, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE).numpy()
    logits = compute_token_logits(trained.model, tokens, _CPU, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE)
    return np.split(logits.numpy(), tokens.offsets[1:-1])


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


def spread_rows(rows: pa.Table, most: int) -> pa.Table:
    """Return the rows of at most `most` examples, evenly spread over all."""
    ids = pc.unique(rows["id"])
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(most, len(ids))).round().astype(np.int64))
    return rows.filter(pc.is_in(rows["id"], value_set=ids.take(chosen)))


def _rounded(logits: Iterable[npt.NDArray[np.float32]]) -> list[Any]:
    """Return the logits of rows as JSON has them; what is rounded away is far below what the probe allows."""
    return [_round(row.tolist()) for row in logits]


def _round(value: Any) -> Any:
    return [*map(_round, value)] if isinstance(value, list) else round(value, 5)
