"""The stock model is the reference: without padding it gives the same logits and the same gradients."""

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from pipeline.models.attention import FLAT, attend
from pipeline.models.batches import ModelInputs, Ragged, flatten_rows, pad_rows
from pipeline.models.compute import with_attention
from pipeline.models.folder import build_classifier
from pipeline.models.layers import find_first_position, shorten_last_layer
from tests.given.families import MODERN, SIZE

FAMILIES = {
    "bert": (BertModel, BertConfig(**SIZE, pad_token_id=0)),
    "roberta": (RobertaModel, RobertaConfig(**SIZE, pad_token_id=1, max_position_embeddings=40)),
    "electra": (ElectraModel, ElectraConfig(**SIZE, embedding_size=16)),
    "distilbert": (DistilBertModel, DistilBertConfig(vocab_size=50, dim=32, n_layers=3, n_heads=4, hidden_dim=48)),
    "modernbert-cls": (ModernBertModel, ModernBertConfig(**MODERN, classifier_pooling="cls")),
    "modernbert-mean": (ModernBertModel, ModernBertConfig(**MODERN, classifier_pooling="mean")),
}
PAIRED = ("bert", "electra")  # the families that know `token_type_ids`
LENGTHS = (9, 9, 7, 3, 2, 2, 12)
ROWS = np.array([4, 0, 1, 6, 3, 2, 5])
HERE = "cuda" if torch.cuda.is_available() else "cpu"


def classifier(family: str, folder, dropout: float = 0.0) -> PreTrainedModel:
    build, config = FAMILIES[family]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        build(config).save_pretrained(folder)
    model = build_classifier(folder, ["a", "b", "c"], dropout=dropout, seed=3).double()
    model.set_attn_implementation("sdpa")  # eager attention in float64 makes NaN of ModernBERT's padded windows
    return model


def tokens(*, pairs: bool = False, seed: int = 0) -> Ragged:
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, *LENGTHS])
    types = np.concatenate([np.arange(length) >= length // 2 for length in LENGTHS]).astype(np.int32)
    return Ragged(rng.integers(5, 50, offsets[-1]).astype(np.int32), offsets, types if pairs else None)


def batches(model: PreTrainedModel, rows: Ragged) -> tuple[ModelInputs, ModelInputs]:
    device = torch.device("cpu")
    return (
        pad_rows(rows, ROWS, pad_token_id=model.config.pad_token_id or 0, device=device),
        flatten_rows(rows, ROWS, first_position=find_first_position(model), device=device),
    )


def logits_and_gradients(model: PreTrainedModel, inputs: ModelInputs):
    model.zero_grad()
    logits = model(**inputs).logits
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 1, 0, 2, 2])).backward()
    return logits.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("family", "pairs"), [*((family, False) for family in FAMILIES), *((family, True) for family in PAIRED)]
)
def test_logits_and_gradients_are_those_of_the_padded_stock_model(family, pairs, tmp_path):
    model = classifier(family, tmp_path)
    whole, ours = batches(model, tokens(pairs=pairs))
    assert ("token_type_ids" in ours) == pairs
    expected, gradients = logits_and_gradients(model, whole)
    names = list(model.state_dict())
    with with_attention(model, FLAT), shorten_last_layer(model):
        assert list(model.state_dict()) == names
        logits, found_gradients = logits_and_gradients(model, ours)
    torch.testing.assert_close(logits, expected)
    assert found_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(found_gradients[name], gradient, msg=name)
    torch.testing.assert_close(logits_and_gradients(model, whole)[0], expected)  # the model is the stock one again


def test_the_second_text_of_a_pair_counts(tmp_path):
    model = classifier("bert", tmp_path)
    with with_attention(model, FLAT), shorten_last_layer(model), torch.no_grad():
        single, pair = (model(**batches(model, tokens(pairs=pairs))[1]).logits for pairs in (False, True))
    assert not torch.allclose(single, pair)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("poisoned", [0, 3, 6])
def test_a_poisoned_example_moves_no_other(family, poisoned, tmp_path):
    model = classifier(family, tmp_path)
    clean = batches(model, tokens())[1]
    bounds = clean["segments"].bounds.tolist()
    poison = {**clean, "input_ids": clean["input_ids"].clone()}
    poison["input_ids"][0, bounds[poisoned] : bounds[poisoned + 1]] = 4  # a token that no example holds
    with torch.no_grad():
        model.get_input_embeddings().weight[4] = float("nan")
        with with_attention(model, FLAT), shorten_last_layer(model):
            before, after = model(**clean).logits, model(**poison).logits
    others = torch.arange(len(ROWS)) != poisoned
    assert after[poisoned].isnan().all()
    assert after[others].equal(before[others])


def test_dropout_of_the_weights_is_drawn_anew_and_keeps_the_mean(tmp_path):
    model = classifier("bert", tmp_path, dropout=0.3)
    segments = batches(model, tokens())[1]["segments"]
    heads = torch.randn(sum(LENGTHS), 2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = [attend(heads, heads, heads, segments, scale=0.5, dropout=0.3) for _ in range(3000)]
    plain = attend(heads, heads, heads, segments, scale=0.5)
    assert not drawn[0].equal(drawn[1])
    spread = torch.stack(drawn).std(0) / 3000**0.5
    assert ((torch.stack(drawn).mean(0) - plain).abs() <= 5 * spread + 1e-12).all()


@pytest.mark.gpu
@pytest.mark.skipif(HERE == "cpu", reason="no CUDA device")
@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("first_only", [False, True])
def test_the_kernel_of_the_gpu_computes_what_the_runs_do(window, first_only):
    segments = flatten_rows(tokens(), ROWS, first_position=0, device=torch.device("cuda"))["segments"]
    heads = torch.randn(3, sum(LENGTHS), 4, 32, device="cuda", generator=torch.Generator("cuda").manual_seed(0))
    query, key, value = heads[0], heads[1], heads[2]
    asked = query[segments.bounds[:-1].long()] if first_only else query
    expected = attend(asked, key, value, segments, scale=0.2, window=window)
    actual = attend(asked.bfloat16(), key.bfloat16(), value.bfloat16(), segments, scale=0.2, window=window)
    torch.testing.assert_close(actual.float(), expected, atol=0.02, rtol=0.02)
