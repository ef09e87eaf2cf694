import json
import time

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, DebertaV2Config, DebertaV2ForSequenceClassification

from pipeline.core.errors import UsageError
from pipeline.finetune.classification import CLASSES
from pipeline.models import attention as packing
from pipeline.models.attention import FLAT
from pipeline.models.compute import Choice, order
from pipeline.models.device import Device, choose
from pipeline.models.layers import only_what_the_head_reads
from pipeline.train.choice import agrees, for_training, key, settled
from tests.given.training import DEVICE, model, rows, with_params

HERE = choose("fp32").device.type
CHOICE = Choice(2, "fp32", "eager", "a test")


def test_what_was_chosen_once_is_kept_for_the_same_training(tmp_path):
    path = tmp_path / "choices" / "choice.json"
    asked = []

    def make() -> Choice:
        asked.append(1)
        return CHOICE._replace(threads=len(asked))

    assert settled(path, "one", make) == settled(path, "one", make) == CHOICE._replace(threads=1)
    assert settled(path, "other", make) == CHOICE._replace(threads=2)
    assert len(asked) == 2


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"identity": "k"}', '{"identity": "k", "color": 1}', "{"])
def test_a_damaged_choice_is_made_anew(tmp_path, content):
    (tmp_path / "choice.json").write_text(content)
    assert settled(tmp_path / "choice.json", "k", lambda: CHOICE) == CHOICE
    assert json.loads((tmp_path / "choice.json").read_text())["choice"]["attention"] == "eager"


def test_a_choice_that_somebody_edited_is_made_anew(tmp_path):
    path = tmp_path / "choice.json"
    settled(path, "k", lambda: CHOICE)
    path.write_text(path.read_text().replace("eager", "eages"))
    assert settled(path, "k", lambda: CHOICE) == CHOICE


def test_whatever_decides_the_bytes_changes_the_key_and_the_reason_does_not():
    changes = ({"threads": 1}, {"precision": "bf16"}, {"attention": "sdpa"}, {})
    assert len({key("k", CHOICE._replace(**change)) for change in changes} | {key("l", CHOICE)}) == 5
    assert key("k", CHOICE._replace(reason="another")) == key("k", CHOICE)


def test_the_attention_is_that_of_the_device_and_no_clock_is_asked(encoder, monkeypatch):
    """Beside other work a clock would choose another one, and so other last bits."""
    for name in ("perf_counter", "thread_time", "process_time", "monotonic"):
        monkeypatch.setattr(time, name, lambda: pytest.fail("a clock was asked"))
    classifier = model(encoder)
    with only_what_the_head_reads(classifier):
        found = for_training(classifier, rows(40), with_params(attention="auto"), CLASSES)
    assert found.attention == {"cpu": "eager", "cuda": "sdpa"}[HERE]
    assert f"attention: of a {HERE}" in found.reason


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
    monkeypatch.setattr(packing, "has_kernel", lambda: True)
    with torch.device("meta"):
        classifier = BertForSequenceClassification(
            BertConfig(vocab_size=8, hidden_size=64, num_hidden_layers=1, num_attention_heads=heads)
        )
    assert order(classifier, Device(torch.device(device), precision, ""), dropout)[0] == first
    monkeypatch.setattr(packing, "has_kernel", lambda: False)
    assert FLAT not in order(classifier, Device(torch.device(device), precision, ""), dropout)


@pytest.mark.parametrize("attention", ["eager", "sdpa", FLAT])
def test_an_attention_that_is_set_is_taken(encoder, attention):
    classifier = model(encoder)
    with only_what_the_head_reads(classifier):
        found = for_training(classifier, rows(40), with_params(attention=attention), CLASSES)
    assert found[:3] == (1, "fp32", attention)
    assert "set by `attention`" in found.reason


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("attention", ["sdpa", FLAT])
def test_choosing_leaves_no_trace(encoder, attention, training):
    classifier = model(encoder, with_params(dropout=0.1))
    classifier.train(training)
    weights = {name: value.clone() for name, value in classifier.state_dict().items()}
    state = torch.random.get_rng_state()
    with only_what_the_head_reads(classifier):
        for_training(classifier, rows(40), with_params(attention=attention, dropout=0.1), CLASSES)
    assert torch.random.get_rng_state().equal(state)
    assert classifier.config._attn_implementation == "eager"
    assert classifier.training == training
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert all(value.cpu().equal(weights[name]) for name, value in classifier.state_dict().items())


def test_a_family_whose_examples_would_see_each_other_is_not_flattened(monkeypatch):
    """DeBERTa builds its attention itself: it knows no other kind, and nothing of where an example ends."""
    config = DebertaV2Config(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        relative_attention=True, position_biased_input=False, pos_att_type=["p2c", "c2p"],
    )  # fmt: skip
    classifier, train = DebertaV2ForSequenceClassification(config).eval(), rows(40)
    assert agrees(classifier, "eager", train, range(8), DEVICE, CLASSES)
    with only_what_the_head_reads(classifier):
        assert not agrees(classifier, FLAT, train, range(8), DEVICE, CLASSES)
        with pytest.raises(UsageError, match="does not compute the same with `attention` flat"):
            for_training(classifier, train, with_params(attention="flat"), CLASSES)
        monkeypatch.setattr("pipeline.train.choice.order", lambda *_: (FLAT, "eager"))
        found = for_training(classifier, train, with_params(attention="auto"), CLASSES)
    assert found.attention == "eager"
    assert "without flat, which differ" in found.reason


def test_a_leak_between_examples_is_seen(monkeypatch):
    """An attention over the whole flat batch, which is what the stock library does with one."""
    config = BertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        initializer_range=0.3,  # weights as large as a trained model's, so that what is attended to counts
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = BertForSequenceClassification(config)
    train = rows(40)
    with only_what_the_head_reads(classifier):
        assert agrees(classifier, FLAT, train, range(8), DEVICE, CLASSES)
        monkeypatch.setattr("pipeline.models.attention._run", lambda q, k, v, _count, scale, *_: _leaky(q, k, v, scale))
        assert not agrees(classifier, FLAT, train, range(8), DEVICE, CLASSES)


def test_a_leak_is_seen_where_every_update_is_one_example(monkeypatch):
    config = BertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = BertForSequenceClassification(config)
    params = with_params(attention=FLAT, batch_size=1)
    with only_what_the_head_reads(classifier):
        assert for_training(classifier, rows(40), params, CLASSES).attention == FLAT
        monkeypatch.setattr("pipeline.models.attention._run", lambda q, k, v, _count, scale, *_: _leaky(q, k, v, scale))
        with pytest.raises(UsageError, match="does not compute the same"):
            for_training(classifier, rows(40), params, CLASSES)


def _leaky(query, key, value, scale):
    scores = torch.einsum("qhd,khd->hqk", query, key) * scale
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), value)


def test_nothing_to_train_on_is_said(encoder):
    with pytest.raises(UsageError, match="there is nothing to train on"):
        for_training(model(encoder), rows(0), with_params(attention="auto"), CLASSES)


def test_numbers_that_are_not_finite_are_not_held_against_an_attention(encoder):
    classifier = model(encoder)
    with torch.no_grad():
        classifier.classifier.weight.fill_(float("nan"))
    found = for_training(classifier, rows(8), with_params(attention="sdpa"), CLASSES)
    assert found.attention == "sdpa"
