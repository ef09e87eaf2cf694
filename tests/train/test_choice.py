"""The choice of a training; `choose_compute` and `matches_eager` of `models.compute` are tested through it."""

import json
import time

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    PreTrainedModel,
)

from pipeline.core.errors import UsageError
from pipeline.finetune.classification import CLASSES, Rows
from pipeline.models.attention import FLAT
from pipeline.models.compute import Choice, matches_eager
from pipeline.models.device import choose_device, with_threads
from pipeline.models.layers import shorten_last_layer
from pipeline.models.processes import Ranks
from pipeline.train.choice import checkpoint_key, choose_for_training, load_or_choose, with_choice
from tests.given.training import DEVICE, model, rows, with_params

HERE = choose_device("fp32").device.type
CHOICE = Choice(2, "fp32", "eager", "a test")


def test_what_was_chosen_once_is_kept_for_the_same_training(tmp_path):
    path = tmp_path / "choices" / "choice.json"
    asked = []

    def make() -> Choice:
        asked.append(1)
        return CHOICE._replace(threads=len(asked))

    assert load_or_choose(path, "one", make) == load_or_choose(path, "one", make) == CHOICE._replace(threads=1)
    assert load_or_choose(path, "other", make) == CHOICE._replace(threads=2)
    assert len(asked) == 2


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"identity": "k"}', '{"identity": "k", "color": 1}', "{"])
def test_a_damaged_choice_is_made_anew(tmp_path, content):
    (tmp_path / "choice.json").write_text(content)
    assert load_or_choose(tmp_path / "choice.json", "k", lambda: CHOICE) == CHOICE
    assert json.loads((tmp_path / "choice.json").read_text())["choice"]["attention"] == "eager"


def test_a_choice_that_somebody_edited_is_made_anew(tmp_path):
    path = tmp_path / "choice.json"
    load_or_choose(path, "k", lambda: CHOICE)
    path.write_text(path.read_text().replace("eager", "eages"))
    assert load_or_choose(path, "k", lambda: CHOICE) == CHOICE


def test_whatever_decides_the_bytes_changes_the_key_and_the_reason_does_not():
    changes = ({"threads": 1}, {"precision": "bf16"}, {"attention": "sdpa"}, {})
    assert (
        len({checkpoint_key("k", CHOICE._replace(**change)) for change in changes} | {checkpoint_key("l", CHOICE)}) == 5
    )
    assert checkpoint_key("k", CHOICE._replace(reason="another")) == checkpoint_key("k", CHOICE)


def test_the_attention_is_that_of_the_device_and_no_clock_is_asked(encoder, monkeypatch):
    """Beside other work a clock would choose another one, and so other last bits."""
    for name in ("perf_counter", "thread_time", "process_time", "monotonic"):
        monkeypatch.setattr(time, name, lambda: pytest.fail("a clock was asked"))
    classifier = model(encoder)
    with shorten_last_layer(classifier):
        choice = choose_for_training(classifier, rows(40), with_params(attention="auto"), CLASSES)
    assert choice.attention == {"cpu": "eager", "cuda": "sdpa"}[HERE]
    assert f"attention: of a {HERE}" in choice.reason


@pytest.mark.parametrize("attention", ["eager", "sdpa", FLAT])
def test_an_attention_that_is_set_is_taken(encoder, attention):
    classifier = model(encoder)
    with shorten_last_layer(classifier):
        choice = choose_for_training(classifier, rows(40), with_params(attention=attention), CLASSES)
    assert choice[:3] == (1, "fp32", attention)
    assert "set by `attention`" in choice.reason


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("attention", ["sdpa", FLAT])
def test_choosing_leaves_no_trace(encoder, attention, training):
    classifier = model(encoder, with_params(dropout=0.1))
    classifier.train(training)
    weights = {name: value.clone() for name, value in classifier.state_dict().items()}
    state = torch.random.get_rng_state()
    with shorten_last_layer(classifier):
        choose_for_training(classifier, rows(40), with_params(attention=attention, dropout=0.1), CLASSES)
    assert torch.random.get_rng_state().equal(state)
    assert classifier.config._attn_implementation == "eager"
    assert classifier.training == training
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert all(value.cpu().equal(weights[name]) for name, value in classifier.state_dict().items())


def agrees(classifier: PreTrainedModel, attention: str, train: Rows) -> bool:
    return matches_eager(classifier, attention, lambda: CLASSES.outputs(classifier, train, range(8), DEVICE))


def test_a_family_whose_examples_would_see_each_other_is_not_flattened(monkeypatch):
    """DeBERTa builds its attention itself: it knows no other kind, and nothing of where an example ends."""
    config = DebertaV2Config(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        relative_attention=True, position_biased_input=False, pos_att_type=["p2c", "c2p"],
    )  # fmt: skip
    classifier, train = DebertaV2ForSequenceClassification(config).eval(), rows(40)
    assert agrees(classifier, "eager", train)
    with shorten_last_layer(classifier):
        assert not agrees(classifier, FLAT, train)
        with pytest.raises(UsageError, match=r"attention: flat .*DebertaV2ForSequenceClassification"):
            choose_for_training(classifier, train, with_params(attention="flat"), CLASSES)
        monkeypatch.setattr("pipeline.models.compute.rank_attentions", lambda *_: (FLAT, "eager"))
        choice = choose_for_training(classifier, train, with_params(attention="auto"), CLASSES)
    assert choice.attention == "eager"
    assert "without flat, which differ" in choice.reason


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
    with shorten_last_layer(classifier):
        assert agrees(classifier, FLAT, train)
        monkeypatch.setattr(
            "pipeline.models.attention._attend_run", lambda q, k, v, _count, scale, *_: _leaky(q, k, v, scale)
        )
        assert not agrees(classifier, FLAT, train)


def test_a_leak_is_seen_where_every_update_is_one_example(monkeypatch):
    config = BertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = BertForSequenceClassification(config)
    params = with_params(attention=FLAT, batch_size=1)
    with shorten_last_layer(classifier):
        assert choose_for_training(classifier, rows(40), params, CLASSES).attention == FLAT
        monkeypatch.setattr(
            "pipeline.models.attention._attend_run", lambda q, k, v, _count, scale, *_: _leaky(q, k, v, scale)
        )
        with pytest.raises(UsageError, match=r"attention: flat .*BertForSequenceClassification"):
            choose_for_training(classifier, rows(40), params, CLASSES)


def _leaky(query, key, value, scale):
    scores = torch.einsum("qhd,khd->hqk", query, key) * scale
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), value)


def test_nothing_to_train_on_is_said(encoder):
    with pytest.raises(UsageError, match="train split: nothing to train on, 0 rows"):
        choose_for_training(model(encoder), rows(0), with_params(attention="auto"), CLASSES)


def test_numbers_that_are_not_finite_are_not_held_against_an_attention(encoder):
    classifier = model(encoder)
    with torch.no_grad():
        classifier.classifier.weight.fill_(float("nan"))
    choice = choose_for_training(classifier, rows(8), with_params(attention="sdpa"), CLASSES)
    assert choice.attention == "sdpa"


@pytest.mark.parametrize(
    ("requested", "ranks", "expected"), [("auto", 1, 8), ("auto", 2, 4), ("auto", 3, 2), ("auto", 16, 1), (8, 2, 8)]
)
def test_ranks_share_the_threads_unless_their_number_is_set(encoder, capsys, requested, ranks, expected):
    choice, classifier = CHOICE._replace(threads=8), model(encoder)
    params = with_params(threads=requested)
    with with_threads(torch.get_num_threads()), with_choice(classifier, choice, params, Ranks(ranks - 1, ranks)):
        assert torch.get_num_threads() == expected
    printed = capsys.readouterr().out
    assert printed == (f"{choice.describe(choose_device('fp32'))}\n" if ranks == 1 else "")  # the first rank alone
