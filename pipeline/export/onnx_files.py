"""ONNX files of a classifier: its graph in fp32, and the same with int8 matrices; equal models give equal bytes."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from transformers import PreTrainedModel

from pipeline.core.errors import EnvironmentFault
from pipeline.models.heads import take_logits
from pipeline.models.tokenizer import TYPES

_OPSET = 20
_MOST_ROWS = 4096  # of a batch
_EXAMPLE = (
    2,
    4,
)  # rows and tokens of the example that is traced; every length is at least 2, and `max_length` at least 4
# What the exporter says of itself, and can be changed by nobody here.
_EXPECTED = (
    (FutureWarning, r"`isinstance\(treespec, LeafSpec\)` is deprecated"),
    (UserWarning, r"# The axis name: \w+ will not be used"),
)
_LOGGERS = ("torch.onnx._internal.exporter._registration", "root")  # of absent torchvision; advice of the quantiser


class _Logits(nn.Module):
    """A model that takes tensors and returns one."""

    def __init__(self, classifier: PreTrainedModel) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        types = {} if token_type_ids is None else {TYPES: token_type_ids}
        return take_logits(self.classifier(input_ids=input_ids, attention_mask=attention_mask, **types))


def write_fp32(classifier: PreTrainedModel, out: Path, inputs: Sequence[str], *, max_length: int) -> None:
    """Write the graph of a model: its inputs, `input_ids` and `attention_mask`, (B, T) int64, to `logits`, float32.

    `token_type_ids` may be a third one.

    They are (B, C), or (B, T, C) if its head reads every token.

    B may be 1 to 4096 and T 2 to `max_length`. The file holds nothing of this machine: no path, no trace of the source.

    Raises:
        EnvironmentFault: The model's family cannot be exported, or its file would have more than 2 GB.
    """
    rows, length = torch.export.Dim("batch", min=1, max=_MOST_ROWS), torch.export.Dim("sequence", min=2, max=max_length)
    ids = torch.ones(_EXAMPLE, dtype=torch.int64)
    module = _Logits(classifier).eval()
    try:
        with _silence_exporter():
            program = torch.onnx.export(
                module,
                tuple(torch.ones_like(ids) for _ in inputs),
                input_names=[*inputs],
                output_names=["logits"],
                dynamo=True,
                dynamic_shapes={name: {0: rows, 1: length} for name in inputs},
                opset_version=_OPSET,
                verbose=False,
            )
        model = program.model_proto  # type: ignore[union-attr]  # a dynamo export returns a program
        _strip(model)
        out.write_bytes(model.SerializeToString(deterministic=True))
    except OSError:
        raise
    except Exception as error:  # each family fails in its own way
        kind = type(classifier).__name__
        raise EnvironmentFault(f"export: {kind} cannot be exported, {error}. Use its model folder instead.") from error


def write_int8(fp32: Path, out: Path) -> None:
    """Write the model of a file with int8 matrices, a scale for each column; activations are scaled as they come.

    Source: ONNX Runtime, Quantize ONNX Models, dynamic quantization.
    """
    with TemporaryDirectory() as folder, _silence_exporter():
        prepared, quantized = Path(folder, "prepared.onnx"), Path(folder, "quantized.onnx")
        quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(
            str(prepared),
            str(quantized),
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        model = onnx.load(str(quantized))
        _strip(model)
        out.write_bytes(model.SerializeToString(deterministic=True))


def _strip(model: onnx.ModelProto) -> None:
    """Remove what says where and of which lines of code a model was made."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")


@contextmanager
def _silence_exporter() -> Iterator[None]:
    """Hide the warnings that always come inside the block, and no others."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for category, message in _EXPECTED:
            warnings.filterwarnings("ignore", message, category)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
