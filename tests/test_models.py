import json

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from pipeline.errors import EnvironmentFault, UsageError
from pipeline.models import FirstTokenLayer, encoder_layers, freeze, load_classifier, only_what_the_head_reads

SIZE = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
FAMILIES = {
    "bert": (BertModel, BertConfig(**SIZE, pad_token_id=0), True),
    "roberta": (RobertaModel, RobertaConfig(**SIZE, pad_token_id=1, max_position_embeddings=40), True),
    "electra": (ElectraModel, ElectraConfig(**SIZE, embedding_size=16), True),
    "distilbert": (
        DistilBertModel,
        DistilBertConfig(vocab_size=50, dim=32, n_layers=3, n_heads=4, hidden_dim=48),
        False,
    ),
}


def inputs(pad: int) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(5, 50, (4, 9)))
    mask = torch.ones_like(ids)
    for row, length in enumerate((9, 7, 3, 2)):
        ids[row, length:], mask[row, length:] = pad, 0
    return {"input_ids": ids, "attention_mask": mask}


def logits_and_gradients(model: PreTrainedModel, batch: dict[str, torch.Tensor]):
    model.zero_grad()
    logits = model(**batch).logits
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 1])).backward()
    return logits.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_skipping_what_the_head_does_not_read_changes_no_logit_and_no_gradient(family, padded, attention, tmp_path):
    build, config, shortened = FAMILIES[family]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        build(config).save_pretrained(tmp_path)
    model = load_classifier(tmp_path, ["a", "b", "c"], dropout=0.0, attention=attention, seed=3)
    batch = inputs(config.pad_token_id)
    if not padded:
        batch = {"input_ids": batch["input_ids"][:, :2]}
    expected, gradients = logits_and_gradients(model, batch)
    names = list(model.state_dict())
    with only_what_the_head_reads(model):
        assert isinstance(encoder_layers(model)[-1], FirstTokenLayer) == shortened
        assert list(model.state_dict()) == names
        found, ours = logits_and_gradients(model, batch)
    assert not isinstance(encoder_layers(model)[-1], FirstTokenLayer)
    torch.testing.assert_close(found, expected)
    assert ours.keys() == gradients.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], gradients[name], msg=name)


def test_the_classifier_is_the_stock_model_with_the_encoders_weights(encoder):
    model = load_classifier(encoder, ["no", "yes"], dropout=0.0, attention="eager", seed=0)
    stock = BertModel.from_pretrained(encoder)
    for name, value in stock.state_dict().items():
        torch.testing.assert_close(model.base_model.state_dict()[name], value)
    assert type(model) is AutoModelForSequenceClassification._model_mapping[BertConfig]
    assert model.config.id2label == {0: "no", 1: "yes"}
    assert model.config.label2id == {"no": 0, "yes": 1}


def test_the_head_depends_on_the_seed_alone(encoder):
    def head(seed: int) -> torch.Tensor:
        return load_classifier(encoder, ["a", "b"], dropout=0.1, attention="eager", seed=seed).classifier.weight

    state = torch.get_rng_state()
    first = head(1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    assert torch.equal(first, head(1))
    assert not torch.equal(first, head(2))


def test_dropout_reaches_every_place_of_the_model(encoder):
    model = load_classifier(encoder, ["a", "b"], dropout=0.25, attention="eager", seed=0)
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.25}


def test_freezing_keeps_the_lowest_parts(encoder):
    model = load_classifier(encoder, ["a", "b"], dropout=0.0, attention="eager", seed=0)
    freeze(model, embeddings=True, layers=1)
    still = {
        name.split(".")[1 if name.startswith("bert") else 0] for name, p in model.named_parameters() if p.requires_grad
    }
    assert still == {"encoder", "pooler", "classifier"}
    assert not any(p.requires_grad for p in encoder_layers(model)[0].parameters())
    assert all(p.requires_grad for p in encoder_layers(model)[1].parameters())
    with pytest.raises(UsageError, match=r"`freeze_layers` is 3, and the encoder has 2 layers"):
        freeze(model, embeddings=False, layers=3)


def test_a_folder_without_a_model_is_a_clear_error(tmp_path):
    with pytest.raises(EnvironmentFault, match="not a usable encoder"):
        load_classifier(tmp_path, ["a"], dropout=0.0, attention="eager", seed=0)


def test_pickled_weights_are_refused(encoder, tmp_path):
    (tmp_path / "config.json").write_bytes((encoder / "config.json").read_bytes())
    torch.save(BertModel.from_pretrained(encoder).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(EnvironmentFault, match="not a usable encoder"):
        load_classifier(tmp_path, ["a", "b"], dropout=0.0, attention="eager", seed=0)


def test_an_encoder_that_lacks_a_layer_is_refused(encoder, tmp_path):
    for path in encoder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(EnvironmentFault, match=r"lacks 16 of its weights \('bert.encoder.layer.2"):
        load_classifier(tmp_path, ["a", "b"], dropout=0.0, attention="eager", seed=0)
    (tmp_path / "model.safetensors").write_bytes((encoder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(EnvironmentFault, match="not a usable encoder"):
        load_classifier(tmp_path, ["a", "b"], dropout=0.0, attention="eager", seed=0)
