import json
import time

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, DebertaV2Config, DebertaV2ForSequenceClassification

from pipeline.device import choose
from pipeline.errors import UsageError
from pipeline.models import only_what_the_head_reads
from pipeline.packing import FLAT
from pipeline.probe import ATTENTIONS, Choice, agrees, fastest, key, measured, settled, timed
from tests.test_training import DEVICE, model, rows, with_params

HERE = choose("fp32").device.type
CHOICE = Choice(2, "fp32", "eager", "a test")


def test_what_was_chosen_once_is_kept_for_the_same_training(tmp_path):
    path = tmp_path / "choices" / "choice.json"
    asked = []

    def measure() -> Choice:
        asked.append(1)
        return CHOICE._replace(threads=len(asked))

    assert settled(path, "one", measure) == settled(path, "one", measure) == CHOICE._replace(threads=1)
    assert settled(path, "other", measure) == CHOICE._replace(threads=2)
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


@pytest.mark.parametrize(
    ("seconds", "name"),
    [
        ({"a": 1.0}, "a"),
        ({"a": 1.0, "b": 1.0, "c": 0.9}, "a"),
        ({"a": 1.26, "b": 1.1, "c": 1.0}, "c"),
        ({"a": 1.24, "b": 1.0}, "a"),
    ],
)
def test_the_first_is_taken_unless_another_is_clearly_faster(seconds, name, capsys):
    chosen, reason = fastest(seconds)
    assert chosen == name
    assert ("no other" in reason) == (name == "a")
    assert "a 1.00" in capsys.readouterr().out


def test_the_steps_take_turns_after_a_warm_up():
    made = []
    found = timed({name: lambda name=name: made.append(name) for name in "ab"}, time.perf_counter)
    assert "".join(made[:6]) == "ababab"
    assert set(found) == {"a", "b"}
    assert all(0 <= taken < float("inf") for taken in found.values())


@pytest.mark.parametrize("attention", ATTENTIONS[HERE])
def test_an_attention_that_is_set_is_taken(encoder, attention):
    classifier = model(encoder)
    with only_what_the_head_reads(classifier):
        found = measured(classifier, rows(40), with_params(attention=attention))
    assert found[:3] == (1, "fp32", attention)
    assert "set by `attention`" in found.reason


def test_measuring_leaves_no_trace_but_what_it_found(encoder, capsys):
    classifier = model(encoder, with_params(dropout=0.1))
    weights = {name: value.clone() for name, value in classifier.state_dict().items()}
    state = torch.random.get_rng_state()
    with only_what_the_head_reads(classifier):
        found = measured(classifier, rows(40), with_params(attention="auto", dropout=0.1))
    assert found.attention in ATTENTIONS[HERE]
    first, second, _ = ATTENTIONS[HERE]
    assert f"speed of attention: {first} 1.00, {second}" in capsys.readouterr().out
    assert torch.random.get_rng_state().equal(state)
    assert classifier.config._attn_implementation == "eager"
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert all(value.equal(weights[name]) for name, value in classifier.state_dict().items())


def test_a_family_whose_examples_would_see_each_other_is_not_flattened():
    """DeBERTa builds its attention itself: it knows no other kind, and nothing of where an example ends."""
    config = DebertaV2Config(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        relative_attention=True, position_biased_input=False, pos_att_type=["p2c", "c2p"],
    )  # fmt: skip
    classifier, train = DebertaV2ForSequenceClassification(config).eval(), rows(40)
    assert agrees(classifier, "eager", train, range(8), DEVICE)
    with only_what_the_head_reads(classifier):
        assert not agrees(classifier, FLAT, train, range(8), DEVICE)
        with pytest.raises(UsageError, match="does not compute the same with `attention` flat"):
            measured(classifier, train, with_params(attention="flat"))
        assert measured(classifier, train, with_params(attention="auto")).attention in ("eager", "sdpa")


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
        assert agrees(classifier, FLAT, train, range(8), DEVICE)
        monkeypatch.setattr("pipeline.packing._run", lambda q, k, v, _count, scale, *_: _leaky(q, k, v, scale))
        assert not agrees(classifier, FLAT, train, range(8), DEVICE)


def _leaky(query, key, value, scale):
    scores = torch.einsum("qhd,khd->hqk", query, key) * scale
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), value)


def test_nothing_to_train_on_is_said(encoder):
    with pytest.raises(UsageError, match="there is nothing to train on"):
        measured(model(encoder), rows(0), with_params(attention="auto"))


def test_numbers_that_are_not_finite_are_not_held_against_an_attention(encoder):
    classifier = model(encoder)
    with torch.no_grad():
        classifier.classifier.weight.fill_(float("nan"))
    found = measured(classifier, rows(8), with_params(attention="sdpa"))
    assert found.attention == "sdpa"
