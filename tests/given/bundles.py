"""A tiny bundle for ONNX Runtime, made without torch: mean of embeddings, then a linear layer."""

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from pipeline.core.document import json_text
from pipeline.predict.bundle import FILES, MANIFEST, compute_version
from pipeline.predict.logits import compute_in_batches, pad_batch
from pipeline.predict.onnx_model import open_onnx

LABELS = ("bad", "good")
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "a", "and", "the", "very")
GOOD, BAD = WORDS.index("good"), WORDS.index("bad")
MAX_LENGTH = 64


def make_bundle(
    folder: Path,
    *,
    task: str = "films",
    weight: float = 4.0,
    work: int = 0,
    decision: dict[str, Any] | None = None,
    form: dict[str, Any] | None = None,
) -> Path:
    """Write a bundle whose model answers by the share of `good` and `bad` among a text's words.

    `form` are the keys that say how it reads texts, and `weight` is how sure it is. `work` squares a matrix of 64 rows
    so many times for each token, to take time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer().save(str(folder / "tokenizer.json"))
    save(_model(weight, work), str(folder / FILES["fp32"]))
    rows = [[2, GOOD, 3], [2, BAD, 6, 3], [2, 7, GOOD, BAD, 3]]
    compute = open_onnx(folder / FILES["fp32"], threads=1)
    logits = compute_in_batches(compute, rows, classes=len(LABELS), collate=partial(pad_batch, pad_token_id=0))
    manifest: dict[str, Any] = {
        "format": 1, "task": task, "labels": list(LABELS), "max_length": MAX_LENGTH, "pad_token_id": 0,
        "inputs": ["input_ids", "attention_mask"], "temperature": None, "decision": decision, "parity": {},
        "backends": ["fp32"], "default": "fp32", "sources": {}, "versions": {}, "version": "",
        "probe": {"input_ids": rows, "logits": {"fp32": logits.tolist()}}, **(form or {}),
    }  # fmt: skip
    manifest["version"] = compute_version(folder, manifest)
    (folder / MANIFEST).write_text(json_text(manifest), encoding="utf-8")
    return folder


def expected_probability(text: str, *, weight: float = 4.0) -> float:
    """Return the probability of `good` that the model gives a text."""
    words = text.lower().split()
    share = (words.count("good") - words.count("bad")) / (len(words) + 2)
    return float(1 / (1 + np.exp(-2 * weight * share)))


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _model(weight: float, work: int) -> Any:
    table = np.zeros((len(WORDS), len(LABELS)), np.float32)
    table[GOOD], table[BAD] = (-weight, weight), (weight, -weight)
    constants = {"table": table, "last": np.array([-1], np.int64), "one": np.array([1], np.int64)}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["real", "last"], ["mask"]),
        helper.make_node("Mul", ["embedded", "mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "one"], ["count"], keepdims=0),
    ]
    total = "sum"
    if work:
        rng = np.random.default_rng(0)
        constants["wide"] = rng.normal(size=(len(WORDS), 64, 64)).astype(np.float32) / 64
        constants["nothing"] = np.array(0.0, np.float32)
        constants["axes"] = np.array([1, 2, 3], np.int64)
        nodes.append(helper.make_node("Gather", ["wide", "input_ids"], ["power0"]))
        powers = [f"power{step}" for step in range(work + 1)]
        nodes += [helper.make_node("MatMul", [before, before], [after]) for before, after in pairwise(powers)]
        nodes += [
            helper.make_node("ReduceSum", [f"power{work}", "axes"], ["effort"], keepdims=0),
            helper.make_node("Mul", ["effort", "nothing"], ["vain"]),
            helper.make_node("Unsqueeze", ["vain", "last"], ["column"]),
            helper.make_node("Add", ["sum", "column"], ["total"]),
        ]
        total = "total"
    nodes.append(helper.make_node("Div", [total, "count"], ["logits"]))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "s"]) for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", len(LABELS)])]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "films", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
