import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from pipeline.core.errors import DataError, UsageError
from pipeline.models.batches import Ragged
from pipeline.models.folder import build_classifier
from pipeline.models.layers import (
    FirstTokenLayer,
    find_layers,
    freeze,
    require_fit,
    scale_layer_rates,
    shorten_last_layer,
)

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
    model = build_classifier(tmp_path, ["a", "b", "c"], dropout=0.0, seed=3)
    model.set_attn_implementation(attention)
    batch = inputs(config.pad_token_id)
    if not padded:
        batch = {"input_ids": batch["input_ids"][:, :2]}
    expected, gradients = logits_and_gradients(model, batch)
    names = list(model.state_dict())
    with shorten_last_layer(model):
        assert isinstance(find_layers(model)[-1], FirstTokenLayer) == shortened
        assert list(model.state_dict()) == names
        logits, ours = logits_and_gradients(model, batch)
    assert not isinstance(find_layers(model)[-1], FirstTokenLayer)
    torch.testing.assert_close(logits, expected)
    assert ours.keys() == gradients.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], gradients[name], msg=name)


def test_freezing_keeps_the_lowest_parts(encoder):
    model = build_classifier(encoder, ["a", "b"], dropout=0.0, seed=0)
    freeze(model, embeddings=True, layers=1)
    still = {
        name.split(".")[1 if name.startswith("bert") else 0] for name, p in model.named_parameters() if p.requires_grad
    }
    assert still == {"encoder", "pooler", "classifier"}
    assert not any(p.requires_grad for p in find_layers(model)[0].parameters())
    assert all(p.requires_grad for p in find_layers(model)[1].parameters())
    with pytest.raises(UsageError, match=r"freeze_layers: .* 2 layers, found 3\b"):
        freeze(model, embeddings=False, layers=3)


def ragged(*rows: list[int]) -> Ragged:
    return Ragged(np.array([token for row in rows for token in row], np.int32), np.cumsum([0, *map(len, rows)]))


def test_what_widens_the_embeddings_is_frozen_with_them(tmp_path):
    build, config, _ = FAMILIES["electra"]
    build(config).save_pretrained(tmp_path)
    model = build_classifier(tmp_path, ["a", "b"], dropout=0.0, seed=0)
    assert scale_layer_rates(model, 0.5)["electra.embeddings_project.weight"] == 0.5**4
    freeze(model, embeddings=True, layers=0)
    assert not model.electra.embeddings_project.weight.requires_grad


@pytest.mark.parametrize("strange", [50, -1, 2**31 - 1])
def test_unknown_token_ids_are_refused(strange):
    model = BertForSequenceClassification(BertConfig(**SIZE, max_position_embeddings=24))
    require_fit(ragged([1, 49], [0]), model)
    with pytest.raises(DataError, match=rf"1 ids .* {strange};.* 0 to 49\b"):
        require_fit(ragged([1, 2], [3, strange]), model)


@pytest.mark.parametrize("length", [0, 25])
def test_rows_the_model_has_no_place_for_are_refused(length):
    model = BertForSequenceClassification(BertConfig(**SIZE, max_position_embeddings=24))
    require_fit(ragged([1] * 24, [3]), model)
    with pytest.raises(DataError, match=rf"1 rows \(from 0: 1\).* 1 to 24 tokens, found {length}\."):
        require_fit(ragged([1, 2], [3] * length), model)
