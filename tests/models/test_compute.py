"""The rest of `models.compute` is tested in tests/train/test_choice.py, by trainings, and in test_features.py."""

import json

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from pipeline.models import attention
from pipeline.models.attention import FLAT
from pipeline.models.compute import Choice, describe_machine, rank_attentions, with_attention
from pipeline.models.device import Device


@pytest.mark.parametrize(
    ("device", "precision", "heads", "dropout", "first"),
    [
        ("cpu", "bf16", 4, 0.0, "eager"),
        ("cpu", "fp32", 4, 0.0, "eager"),
        ("cuda", "bf16", 4, 0.0, FLAT),
        ("cuda", "bf16", 4, 0.1, "sdpa"),  # the kernel has no dropout
        ("cuda", "bf16", 32, 0.0, "sdpa"),  # nor heads of two numbers
        ("cuda", "fp32", 4, 0.0, "sdpa"),  # nor whole precision
    ],
)
def test_on_a_gpu_the_batch_is_flat_where_one_kernel_takes_it(monkeypatch, device, precision, heads, dropout, first):
    monkeypatch.setattr(attention, "has_kernel", lambda: True)
    with torch.device("meta"):
        classifier = BertForSequenceClassification(
            BertConfig(vocab_size=8, hidden_size=64, num_hidden_layers=1, num_attention_heads=heads)
        )
    assert rank_attentions(classifier, Device(torch.device(device), precision, ""), dropout)[0] == first
    monkeypatch.setattr(attention, "has_kernel", lambda: False)
    assert FLAT not in rank_attentions(classifier, Device(torch.device(device), precision, ""), dropout)


def test_an_attention_holds_inside_the_block_alone():
    model = BertModel(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8))
    before = model.config._attn_implementation
    with with_attention(model, FLAT):
        assert model.config._attn_implementation == FLAT
    assert model.config._attn_implementation == before


def test_a_choice_is_described_in_one_line():
    line = Choice(3, "bf16", "sdpa", "because").describe(Device(torch.device("cpu"), "bf16", ""))
    assert line == "cpu, 3, bf16, sdpa (because)"


def test_all_that_decides_the_last_bits_describes_a_machine(monkeypatch):
    choice, device = Choice(2, "fp32", "eager", "so"), Device(torch.device("cpu"), "fp32", "so")
    before = describe_machine(choice, device)
    assert before == describe_machine(choice._replace(reason="other"), device._replace(reason="other"))
    assert json.loads(json.dumps(before)) == before
    assert describe_machine(choice._replace(threads=1), device) != before
    assert describe_machine(choice._replace(precision="bf16"), device) != before
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "other")
    assert describe_machine(choice, device) != before
