import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from pipeline.calibration.temperature import likelihood_loss
from pipeline.finetune.head import calibrate_head, divide_logits, find_output_layer
from pipeline.models.inference import compute_logits
from tests.given.families import MODERN, SIZE
from tests.given.training import DEVICE, rows

CLASSES = 3
FAMILIES = {
    "bert": (BertConfig(**SIZE | {"vocab_size": 60}, pad_token_id=0), "classifier"),
    "roberta": (RobertaConfig(**SIZE | {"vocab_size": 60}, pad_token_id=1), "classifier.out_proj"),
    "xlm-roberta": (XLMRobertaConfig(**SIZE | {"vocab_size": 60}, pad_token_id=1), "classifier.out_proj"),
    "electra": (ElectraConfig(**SIZE | {"vocab_size": 60}, embedding_size=16), "classifier.out_proj"),
    "distilbert": (DistilBertConfig(vocab_size=60, dim=32, n_layers=3, n_heads=4, hidden_dim=48), "classifier"),
    "deberta": (DebertaV2Config(**SIZE | {"vocab_size": 60}, pad_token_id=0), "classifier"),
    "mpnet": (MPNetConfig(**SIZE | {"vocab_size": 60}, pad_token_id=1), "classifier.out_proj"),
    "modernbert": (ModernBertConfig(**MODERN | {"vocab_size": 60}), "classifier"),
}
VALIDATION = rows(90)._replace(labels=np.random.default_rng(1).integers(0, CLASSES, 90))


def classifier(family):
    config = FAMILIES[family][0]
    config.num_labels = CLASSES
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager")
        head = [p for name, p in model.named_parameters() if not name.startswith(model.base_model_prefix)]
        for weight in head:
            nn.init.normal_(weight, std=1.0)  # sure of itself, and of labels at random: it is often wrong
    return model.eval()


def logits(model):
    return compute_logits(model, VALIDATION.tokens, DEVICE, batch_tokens=64, batch_size=8)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_head_holds_the_temperature_and_answers_as_before(family):
    model = classifier(family)
    before, name = logits(model), FAMILIES[family][1]
    encoder = {key: weight.clone() for key, weight in model.state_dict().items() if not key.startswith(name)}
    calibrated = calibrate_head(model, VALIDATION.tokens, VALIDATION.labels)
    after = logits(model)
    assert calibrated.reason is None
    assert calibrated.temperature > 1
    torch.testing.assert_close(after, before / calibrated.temperature, rtol=1e-4, atol=1e-4)
    assert torch.equal(after.argmax(dim=1), before.argmax(dim=1))
    assert calibrated.loss_before == pytest.approx(
        likelihood_loss(before.double().numpy(), VALIDATION.labels), abs=1e-4
    )
    assert calibrated.loss_after == pytest.approx(likelihood_loss(after.double().numpy(), VALIDATION.labels), abs=1e-4)
    assert calibrated.loss_after < calibrated.loss_before
    assert all(torch.equal(model.state_dict()[key], weight) for key, weight in encoder.items())
    assert find_output_layer(model) is model.get_submodule(name)
    assert model.config.calibration_temperature == calibrated.temperature


def test_a_temperature_stays_within_its_bounds():
    model = classifier("bert")
    answers = logits(model).argmax(dim=1).numpy()
    calibrated = calibrate_head(model, VALIDATION.tokens, (answers + 1) % CLASSES)  # always wrong
    assert calibrated.temperature == pytest.approx(20, rel=1e-3)


def test_a_model_that_no_temperature_makes_better_stays_as_it_is():
    model = classifier("bert")
    for weight in model.classifier.parameters():
        nn.init.zeros_(weight)
    calibrated = calibrate_head(model, VALIDATION.tokens, VALIDATION.labels)
    assert calibrated == (1.0, calibrated.loss_before, calibrated.loss_before, None)
    assert model.config.calibration_temperature == 1


class Doubled(nn.Module):
    """A head whose linear layer gives half of the logits."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, features):
        return self.layer(features) + features[..., :CLASSES]


class Bilinear(nn.Module):
    """A head without a linear layer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(CLASSES, 32, generator=torch.Generator().manual_seed(0)))

    def forward(self, features):
        return features @ self.weight.T


@pytest.mark.parametrize("head", [lambda model: Doubled(model.classifier), lambda _: Bilinear()])
def test_a_head_that_cannot_hold_a_temperature_stays_as_it_is(head):
    model = classifier("bert")
    model.classifier = head(model)
    weights = {key: weight.clone() for key, weight in model.state_dict().items()}
    calibrated = calibrate_head(model, VALIDATION.tokens, VALIDATION.labels)
    assert calibrated.temperature == model.config.calibration_temperature == 1
    assert "BertForSequenceClassification" in calibrated.reason
    assert calibrated.loss_after == calibrated.loss_before
    assert all(torch.equal(model.state_dict()[key], weight) for key, weight in weights.items())


def test_the_weights_come_back_if_the_logits_do_not_follow():
    model = classifier("bert")
    weight = model.classifier.weight.clone()
    assert divide_logits(model, 2.0, lambda: torch.ones(1)) is not None
    assert torch.equal(model.classifier.weight, weight)
