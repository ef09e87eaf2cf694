"""A model in ONNX Runtime: exact sums of int8 products on every processor."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pipeline.predict.onnx_model import has_vnni, open_onnx

ROWS, COLUMNS = 64, 32


def write_product(path: Path) -> Path:
    """Write a model whose logits are the product of uint8 numbers, (B, 64), and a matrix of the largest int8."""
    weights = np.full((ROWS, COLUMNS), 127, np.int8)
    graph = helper.make_graph(
        [
            helper.make_node("MatMulInteger", ["numbers", "weights"], ["sums"]),
            helper.make_node("Cast", ["sums"], ["logits"], to=TensorProto.FLOAT),
        ],
        "product",
        [helper.make_tensor_value_info("numbers", TensorProto.UINT8, [None, ROWS])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None, COLUMNS])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize("rows", [1, 7])
def test_sums_of_int8_products_do_not_saturate(tmp_path, rows):
    """Two products of the largest numbers are 64,770: more than 16 bits hold, in which processors without VNNI add."""
    compute = open_onnx(write_product(tmp_path / "product.onnx"), threads=1)
    logits = compute({"numbers": np.full((rows, ROWS), 255, np.uint8)})
    assert logits.tolist() == [[255 * 127 * ROWS] * COLUMNS] * rows


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni amx_int8", True),
        ("flags\t\t: fpu avx2 avx_vnni", True),
        ("flags\t\t: fpu avx2 avx512f avx5124vnniw", False),
    ],
)
def test_vnni_is_read_of_the_processor(flags, expected):
    assert has_vnni(flags.split()) is expected


def test_a_system_that_says_nothing_takes_the_exact_kernels():
    assert not has_vnni([])
