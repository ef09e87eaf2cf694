import numpy as np
import pytest
import torch

from pipeline.core.errors import DataError, UsageError
from pipeline.finetune.fit import prepare_training
from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.models.compute import Choice
from pipeline.models.folder import build_classifier
from pipeline.models.inference import compute_logits
from pipeline.models.layers import FirstTokenLayer, find_layers, shorten_last_layer
from tests.given.training import fit, rows, with_params

PARAMS = with_params(epochs=1, lora=2, freeze_embeddings=True, freeze_layers=1)


def classifier(encoder):
    return build_classifier(encoder, ["no", "yes"], dropout=0.0, seed=0)


def test_it_freezes_adapts_and_shortens_and_leaves_a_stock_model(encoder):
    ours = classifier(encoder)
    stock = list(ours.state_dict())
    before = {name: weight.clone() for name, weight in ours.state_dict().items()}
    with prepare_training(ours, rows(40), rows(20, seed=1), PARAMS, LEARNING) as (training, choice):
        assert choice[:3] == (1, "fp32", "eager")
        assert isinstance(find_layers(ours)[-1], FirstTokenLayer)
        assert any(".lora_A." in name for name, weight in ours.named_parameters() if weight.requires_grad)
        while not training.finished:
            training.advance()
        training.result()
        inside = logits(ours, training.device)
    assert list(ours.state_dict()) == stock
    assert not isinstance(find_layers(ours)[-1], FirstTokenLayer)
    torch.testing.assert_close(logits(ours, training.device), inside, rtol=1e-4, atol=1e-5)
    moved = {name for name, weight in ours.state_dict().items() if not torch.equal(weight, before[name])}
    assert "bert.encoder.layer.1.attention.self.query.weight" in moved
    assert not any("embeddings" in name or "layer.0." in name for name in moved)


def logits(model, device):
    return compute_logits(model, rows(20, seed=2).tokens, device, batch_tokens=64, batch_size=8)


def test_without_options_its_bytes_are_those_of_a_bare_training(encoder):
    params = with_params(epochs=1)
    ours, bare = classifier(encoder), classifier(encoder)
    with prepare_training(ours, rows(8), rows(8, seed=1), params, LEARNING) as (training, _):
        while not training.finished:
            training.advance()
        trained = training.result()
        device = training.device
    with shorten_last_layer(bare):
        assert fit(bare, rows(8), rows(8, seed=1), params, device) == trained
    assert all(torch.equal(ours.state_dict()[name], weight) for name, weight in bare.state_dict().items())


def test_the_caller_may_choose(encoder):
    asked = []

    def choose(model, train, params, objective):
        asked.append((model, len(train.ids), params, objective.evaluation.__name__))
        return Choice(1, "bf16", "sdpa", "a test")

    ours = classifier(encoder)
    with prepare_training(ours, rows(8), rows(8, seed=1), with_params(), LEARNING, choose=choose) as (training, choice):
        assert ours.config._attn_implementation == "sdpa"
        assert training.device.precision == choice.precision == "bf16"
    assert ours.config._attn_implementation == "eager"
    assert asked == [(ours, 8, with_params(), "ValidationScores")]


@pytest.mark.parametrize("place", ["train", "validation"])
def test_tokens_of_another_encoder_are_refused(encoder, place):
    parts = {"train": rows(8), "validation": rows(8, seed=1)}
    tokens = parts[place].tokens
    tokens = tokens._replace(values=np.where(np.arange(len(tokens.values)) == 0, 9999, tokens.values))
    parts[place] = parts[place]._replace(tokens=tokens)
    with (
        pytest.raises(DataError, match=r"1 ids .* 9999;"),
        prepare_training(classifier(encoder), **parts, params=with_params(), learning=LEARNING),
    ):
        pass


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"freeze_layers": 3}, "freeze_layers: .* 2 layers, found 3"),
        ({"freeze_layers": 2, "lora": 2}, "lora: .*all 2 layers"),
    ],
)
def test_more_frozen_layers_than_can_be_are_refused(encoder, changes, fact):
    with (
        pytest.raises(UsageError, match=fact),
        prepare_training(classifier(encoder), rows(8), rows(8, seed=1), with_params(**changes), LEARNING),
    ):
        pass
