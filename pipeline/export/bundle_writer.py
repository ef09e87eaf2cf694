"""The making of a bundle: ONNX files, the gate of each, the files that say how to read, and model.json."""

import shutil
from collections.abc import Callable, Iterable
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

from pipeline.core.document import Document, json_text
from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.core.files import sha256, write_json
from pipeline.core.tables import labels_of
from pipeline.evaluate.kind import Measures
from pipeline.export.onnx_files import count_floats, write_fp32, write_int8
from pipeline.export.parity import BackendComparison, LogitPair, compare_outputs, judge_gain, judge_int8, require_equal
from pipeline.models.batching import plan_batches
from pipeline.models.device import Device
from pipeline.models.folder import load_model
from pipeline.models.heads import Head, name_classes
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, Feed, compute_token_logits, forward
from pipeline.predict.bundle import FILES, MANIFEST, Probe, compute_version
from pipeline.predict.forms.form import list_form
from pipeline.predict.kind import Answers
from pipeline.predict.logits import Arrays, Collate, ModelRows, compute_in_batches, compute_tokens_in_batches
from pipeline.predict.onnx_model import open_onnx
from pipeline.predict.questions import Questions, Reading
from pipeline.settings.production import ExportParams

_ROWS_COMPARED = 10_000  # of validation at most
_ROWS_PROBED = 100
_MAKERS, _RUNNERS = ("torch", "transformers"), ("onnx", "onnxruntime")
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
        max_length: Tokens at which texts are cut; of images those that one counts as.
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
    def questions(self) -> Questions:
        """How questions of the kind are read."""
        return self.answers.questions

    @property
    def reading(self) -> Reading:
        """What models of the kind read of them."""
        return self.answers.questions.reading

    @property
    def pad_token_id(self) -> int:
        """The id that pads a batch."""
        return int(getattr(self.model.config, "pad_token_id", None) or 0)


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
    max_length = answers.questions.reading.measure(folder)
    if max_length is None:
        raise EnvironmentFault(f"{folder}: does not say how much its model reads at once. {REPRODUCE}")
    return TrainedModel(model, folder, answers, measures, feed, labels, max_length, kept)


def write_bundle(folder: Path, trained: TrainedModel, validation: pa.Table, params: ExportParams) -> Document:
    """Write the bundle of a model to `folder`, which is new; return its model.json.

    int8 is shipped if it is as good on `validation`, rows of the task's inputs, as `params` asks for.

    Raises:
        EnvironmentFault: The model cannot be exported, or the exported one computes something else.
    """
    folder.mkdir()
    rows = spread_rows(validation, _ROWS_COMPARED)
    stored = trained.reading.stored(rows)
    for name in trained.reading.files:
        shutil.copyfile(trained.folder / name, folder / name)
    kept = trained.reading.disguise(stored[:_ROWS_PROBED])
    collate, probed = _open_probe(folder, trained, kept)
    _require_same_reading(trained, collate(probed), kept)
    example = collate(stored[:1])
    write_fp32(trained.model, folder / FILES["fp32"], example, max_length=trained.max_length)
    write_int8(folder / FILES["fp32"], folder / FILES["int8"])
    compared, logits = _compare_backends(folder, trained, rows, collate, stored, probed)
    require_equal(compared["fp32"])
    left = {backend: count_floats(folder / name) for backend, name in FILES.items()}
    refused = judge_gain(left) or judge_int8(compared["int8"], params)
    if refused:
        (folder / FILES["int8"]).unlink()
        del logits["int8"]
    read = (trained.folder / name for name in trained.reading.files)
    sources = (*sorted(trained.folder.glob("*.safetensors")), *read)
    manifest: Document = {
        "format": 1,
        "task": params.task,
        "kind": params.kind,
        "labels": list(trained.labels),
        "max_length": trained.max_length,
        "pad_token_id": trained.pad_token_id,
        "inputs": [*example],
        **list_form(trained.model.config.to_dict()),
        "temperature": getattr(trained.model.config, "calibration_temperature", None),
        "decision": trained.kept,
        "parity": {**{name: numbers.document() for name, numbers in compared.items()}, "int8_refused": refused},
        "backends": [*logits],
        "default": "fp32" if refused else "int8",
        "sources": {path.name: sha256(path) for path in sources},
        "versions": {name: version(name) for name in (*_MAKERS, *trained.reading.packages, *_RUNNERS)},
        "version": "",
        "probe": {**kept, "logits": logits},
    }
    manifest["version"] = compute_version(folder, manifest)
    write_json(folder / MANIFEST, manifest)
    return manifest


def _open_probe(folder: Path, trained: TrainedModel, kept: Document) -> tuple[Collate, ModelRows]:
    """Return what makes batches of the rows that are read by a folder, and the rows of a probe without logits."""
    reading, reader = trained.reading, trained.questions.open(folder, trained.max_length)
    probe = Probe.model_validate_json(json_text({**kept, "logits": {}}))
    return reading.collate(reader, trained.pad_token_id), reading.restore(reader, probe)


def _require_same_reading(trained: TrainedModel, arrays: Arrays, kept: Document) -> None:
    """Refuse a bundle that reads a probe, as these arrays, in another way than the model folder does.

    Raises:
        EnvironmentFault: The model folder makes other arrays of it.
    """
    collate, rows = _open_probe(trained.folder, trained, kept)
    if any(not np.array_equal(values, arrays[name]) for name, values in collate(rows).items()):
        raise EnvironmentFault(
            f"export: a bundle does not read as {', '.join(trained.reading.files)} of {trained.folder} says, its probe "
            "has other inputs. Use the model folder instead."
        )


def _compare_backends(
    folder: Path, trained: TrainedModel, rows: pa.Table, collate: Collate, stored: ModelRows, probed: ModelRows
) -> tuple[dict[str, BackendComparison], Document]:
    """Return each backend beside the trained model on the rows, and the logits that it gives those of the probe."""
    answers, labels = trained.answers, trained.labels
    expected = _compute_trained(trained, trained.feed.rows(rows))
    decision = answers.decide(trained.kept)
    compared: dict[str, BackendComparison] = {}
    probe_logits: Document = {}
    for backend, name in FILES.items():
        opened = open_onnx(folder / name, threads=0)
        compute: Callable[[Any], Any] = partial(compute_in_batches, opened, classes=len(labels), collate=collate)
        if answers.reads == "every token":
            compute = partial(compute_tokens_in_batches, opened, collate=collate)
        pair = LogitPair(expected, compute(stored))
        compared[backend] = compare_outputs(answers, trained.measures, pair, rows, labels=labels, decision=decision)
        probe_logits[backend] = _rounded(compute(probed))
    return compared, probe_logits


def _compute_trained(trained: TrainedModel, rows: Any) -> Any:
    """Return the logits of the rows of the feed by the trained model: (N, C), or of every token of each, (T, C)."""
    if trained.answers.reads == "every token":
        logits = compute_token_logits(trained.model, rows, _CPU, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE)
        return np.split(logits.numpy(), rows.offsets[1:-1])
    feed, model = trained.feed, trained.model.eval()
    lengths = feed.lengths(rows)
    found = np.zeros((len(lengths), len(trained.labels)), np.float32)
    with torch.inference_mode():
        for batch in plan_batches(lengths, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE, rng=None):
            found[batch] = forward(model, feed.collate(model, rows, batch, _CPU), _CPU).numpy()
    return found


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
