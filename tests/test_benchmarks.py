import json

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForSequenceClassification

from benchmarks import table as tables
from benchmarks.flops import Shape, needed, peak, whole
from benchmarks.pipeline import split
from pipeline.models import freeze, only_what_the_head_reads

SHAPE = Shape(hidden=32, intermediate=48, layers=3)
CONFIG = BertConfig(
    vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, pad_token_id=0,
    attn_implementation="eager",
)  # fmt: skip


def operations(model: BertForSequenceClassification, examples: int, length: int) -> int:
    """Return what the library counts for the encoder alone, forward and backward."""
    ids = torch.ones(examples, length, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids).logits.sum().backward()
    head = 6 * examples * (32 * 32 + 32 * 2)
    return counter.get_total_flops() - head


@pytest.mark.parametrize(("examples", "length"), [(1, 1), (4, 7), (3, 20)])
def test_the_operations_are_those_that_torch_counts(examples, length):
    found = whole(np.full(examples, length), SHAPE)
    assert found == operations(BertForSequenceClassification(CONFIG), examples, length)


@pytest.mark.parametrize(("examples", "length"), [(1, 1), (4, 7), (3, 20)])
def test_what_is_needed_is_what_is_computed(examples, length):
    model = BertForSequenceClassification(CONFIG)
    freeze(model, embeddings=True, layers=0)
    with only_what_the_head_reads(model):
        computed = operations(model, examples, length)
    assert needed(np.full(examples, length), SHAPE) == pytest.approx(computed, rel=0.01)


def test_the_peak_is_a_rate():
    assert peak(torch.float32, torch.device("cpu"), size=64, repeats=2) > 0


def test_the_time_of_a_stage_runs_to_the_next():
    told = [(1.0, "Running stage 'a':\n"), (1.5, "> x\n"), (3.0, "Running stage 'b@t':\n"), (7.0, "")]
    assert split(told) == {"dvc": 1.0, "a": 2.0, "b@t": 4.0}


def test_the_last_line_is_one_json_object_and_the_table_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tables, "DOCS", tmp_path)
    shown = tables.table(("arm", "speed"), [("a", "1.0")])
    tables.publish("x", "# X", shown, {"d/a": 2.0}, ("torch",))
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"d/a": 2.0}
    written = (tmp_path / "x.md").read_text()
    assert "| a | 1.0 |" in written
    assert f"torch {torch.__version__}" in written
