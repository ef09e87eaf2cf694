"""ONNX files of a classifier: its graph in fp32, and the same with int8 matrices; equal models give equal bytes."""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.registry import IntegerOpsRegistry
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from transformers import PreTrainedModel

from pipeline.core.errors import EnvironmentFault
from pipeline.models.heads import take_logits
from pipeline.models.tokenizer import TYPES
from pipeline.predict.logits import Arrays

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


class _ImageLogits(nn.Module):
    """A model that takes images and returns one tensor."""

    def __init__(self, classifier: PreTrainedModel) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return take_logits(self.classifier(pixel_values=pixel_values))


def write_fp32(classifier: PreTrainedModel, out: Path, example: Arrays, *, max_length: int) -> None:
    """Write the graph of a model: its inputs, as an example of a batch has them, to `logits`, float32.

    The inputs are `input_ids`, `attention_mask` and perhaps `token_type_ids`, (B, T) int64, or `pixel_values`, float32
    (B, 3, H, W). The logits are (B, C), or (B, T, C) if its head reads every token.

    B may be 1 to 4096, T 2 to `max_length`; H and W are those of the example. The file holds nothing of this machine:
    no path, no trace of the source.

    Raises:
        EnvironmentFault: The model's family cannot be exported, or its file would have more than 2 GB.
    """
    module = (_ImageLogits if "pixel_values" in example else _Logits)(classifier).eval()
    tensors, free = _prepare_tracing(example, max_length=max_length)
    try:
        with _silence_exporter():
            program = torch.onnx.export(
                module,
                tensors,
                input_names=[*example],
                output_names=["logits"],
                dynamo=True,
                dynamic_shapes=dict.fromkeys(example, free),
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


def _prepare_tracing(example: Arrays, *, max_length: int) -> tuple[tuple[torch.Tensor, ...], dict[int, Any]]:
    """Return the arguments to trace a model with, and the axes of each that may have other sizes."""
    rows = torch.export.Dim("batch", min=1, max=_MOST_ROWS)
    if "pixel_values" in example:
        return (torch.zeros(_EXAMPLE[0], *example["pixel_values"].shape[1:]),), {0: rows}
    length = torch.export.Dim("sequence", min=2, max=max_length)
    return tuple(torch.ones(_EXAMPLE, dtype=torch.int64) for _ in example), {0: rows, 1: length}


def write_int8(fp32: Path, out: Path) -> None:
    """Write the model of a file with int8 matrices, a scale for each column; activations are scaled as they come.

    Convolutions stay in fp32, which is faster (docs/log.md).

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
            op_types_to_quantize=[name for name in IntegerOpsRegistry if name != "Conv"],
            extra_options={"MatMulConstBOnly": True},
        )
        model = onnx.load(str(quantized))
        _strip(model)
        out.write_bytes(model.SerializeToString(deterministic=True))


def count_floats(path: Path) -> int:
    """Return the number of weights in fp32 of a file."""
    weights = onnx.load(str(path)).graph.initializer
    return sum(math.prod(weight.dims) for weight in weights if weight.data_type == onnx.TensorProto.FLOAT)


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
