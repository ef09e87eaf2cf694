"""The stock model, one example at a time and without any padding, is the reference."""

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AlbertConfig,
    AlbertModel,
    AutoModel,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    ModernBertConfig,
    ModernBertModel,
    RobertaConfig,
    RobertaModel,
)

from pipeline.core.errors import DataError, EnvironmentFault, UsageError
from pipeline.kinds.text_classification.feed import FEED
from pipeline.models.attention import FLAT
from pipeline.models.batches import Ragged
from pipeline.models.compute import with_attention
from pipeline.models.device import Device
from pipeline.models.features import (
    choose_for_extraction,
    extract_vectors,
    pool_windows,
    require_finite_vectors,
    require_layer,
)
from pipeline.models.folder import load_encoder
from pipeline.settings.task import ExtractParams
from tests.given.families import MODERN, SIZE

extract = partial(extract_vectors, kind=FEED)
choose = partial(choose_for_extraction, kind=FEED)
PARAMS = ExtractParams(
    task="t", pooling="mean", layer=-1, batch_tokens=64, batch_size=4, precision="fp32", attention="eager", threads=1
)
DEVICE = Device(torch.device("cpu"), "fp32", "a test")
FAMILIES = {
    "bert": (BertModel, BertConfig(**SIZE, pad_token_id=0)),
    "albert": (AlbertModel, AlbertConfig(**SIZE, embedding_size=16, pad_token_id=0, num_hidden_groups=2)),
    "roberta": (RobertaModel, RobertaConfig(**SIZE, pad_token_id=1, max_position_embeddings=40)),
    "electra": (ElectraModel, ElectraConfig(**SIZE, embedding_size=16)),
    "distilbert": (DistilBertModel, DistilBertConfig(vocab_size=50, dim=32, n_layers=3, n_heads=4, hidden_dim=48)),
    "modernbert": (ModernBertModel, ModernBertConfig(**MODERN)),
}
LENGTHS = (9, 2, 7, 3, 9, 2, 12, 5)
STOCK = {"cls": lambda h: h[0], "mean": lambda h: h.mean(0), "max": lambda h: h.max(0).values}


def rows(lengths=LENGTHS, *, seed: int = 0) -> Ragged:
    offsets = np.cumsum([0, *lengths])
    return Ragged(np.random.default_rng(seed).integers(5, 50, offsets[-1]).astype(np.int32), offsets)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folders_by_family = {}
    for family, (build, config) in FAMILIES.items():
        folders_by_family[family] = tmp_path_factory.mktemp(family)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            config.initializer_range = 0.3
            build(config).save_pretrained(folders_by_family[family])
    return folders_by_family


def one_by_one(folder, tokens: Ragged, layer: int, pooling: str) -> np.ndarray:
    model = AutoModel.from_pretrained(folder).eval()
    vectors = []
    with torch.inference_mode():
        for start, stop in zip(tokens.offsets, tokens.offsets[1:], strict=False):
            ids = torch.from_numpy(tokens.values[start:stop].astype(np.int64))[None]
            states = model(input_ids=ids, output_hidden_states=True).hidden_states
            assert len(states) == 4  # the embeddings and three layers
            vectors.append(STOCK[pooling](states[layer][0]).numpy())
    return np.array(vectors)


@pytest.mark.parametrize("attention", ["eager", FLAT])
@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_those_of_the_stock_model(family, attention, folders):
    model, tokens = load_encoder(folders[family]), rows()
    for pooling in STOCK:
        for layer in (-1, 0, 1, 3):
            expected = one_by_one(folders[family], tokens, layer, pooling)
            assert np.abs(expected - expected.mean(0)).max() > 0.1  # rows differ, so a wrong order would show
            how = PARAMS.model_copy(update={"pooling": pooling, "layer": layer})
            with with_attention(model, attention):
                vectors = extract(model, tokens, how, DEVICE)
            assert vectors.dtype == np.float32
            np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5, err_msg=f"{pooling} {layer}")


@pytest.mark.parametrize("family", FAMILIES)
def test_what_stands_for_padding_never_shows(family, folders):
    model, tokens = load_encoder(folders[family]), rows()
    whole = PARAMS.model_copy(update={"batch_tokens": 1000, "batch_size": 100})
    for pooling in STOCK:
        how = whole.model_copy(update={"pooling": pooling})
        plain = extract(model, tokens, how, DEVICE)
        words = model.get_input_embeddings().weight
        kept = words[model.config.pad_token_id].detach().clone()
        with torch.no_grad():
            words[model.config.pad_token_id] = 100.0 * torch.arange(words.shape[1])
            loud = extract(model, tokens, how, DEVICE)
            words[model.config.pad_token_id] = kept
        assert (plain == loud).all()


@settings(max_examples=20)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.integers(1, 8), st.integers(16, 80))
def test_the_batches_move_no_vector(folders, lengths, batch_size, batch_tokens):
    model, tokens = load_encoder(folders["bert"]), rows(lengths)
    how = PARAMS.model_copy(update={"batch_size": batch_size, "batch_tokens": batch_tokens})
    sizes: list[int] = []
    vectors = extract(model, tokens, how, DEVICE, done=sizes.append)
    alone = extract(model, tokens, PARAMS.model_copy(update={"batch_size": 1}), DEVICE)
    np.testing.assert_allclose(vectors, alone, rtol=1e-5, atol=1e-5)
    assert vectors.tobytes() == extract(model, tokens, how, DEVICE).tobytes()
    assert sum(sizes) == len(lengths)


def test_an_attention_that_reads_other_words_is_not_taken(folders, monkeypatch):
    tokens = rows([9, 2, 7] * 20)
    how = PARAMS.model_copy(update={"attention": "auto"})
    monkeypatch.setattr("pipeline.models.compute.rank_attentions", lambda *_: (FLAT, "sdpa", "eager"))
    assert choose(load_encoder(folders["bert"]), tokens, how).attention == FLAT
    broken = load_encoder(folders["bert"])
    real = broken.forward

    def forward(**inputs: Any) -> Any:
        if broken.config._attn_implementation == FLAT:
            inputs["input_ids"] = inputs["input_ids"].flip(-1)
        return real(**inputs)

    monkeypatch.setattr(broken, "forward", forward)
    assert choose(broken, tokens, how).attention == "sdpa"
    with pytest.raises(UsageError, match=r"attention: flat .*BertModel"):
        choose(broken, tokens, PARAMS.model_copy(update={"attention": FLAT}))
    assert choose(load_encoder(folders["bert"]), tokens, PARAMS)[:3] == (1, "fp32", "eager")


def test_half_precision_is_near(folders):
    model = load_encoder(folders["bert"])
    exact, near = (extract(model, rows(), PARAMS, DEVICE._replace(precision=name)) for name in ("fp32", "bf16"))
    assert near.dtype == np.float32
    assert 0 < np.abs(exact - near).max() < 0.15


def test_no_examples_give_no_vectors(folders):
    assert extract(load_encoder(folders["bert"]), rows([]), PARAMS, DEVICE).shape[0] == 0


def test_a_layer_that_is_not_there_is_refused(folders):
    require_layer(load_encoder(folders["albert"]), 3)
    with pytest.raises(UsageError, match=r"extract\.layer: .* 3 layers, found 4\b"):
        require_layer(load_encoder(folders["albert"]), 4)


def test_numbers_that_are_none_are_refused():
    vectors = np.zeros((3, 2), np.float32)
    require_finite_vectors(vectors, ["a", "b", "c"])
    vectors[1, 1] = np.nan
    with pytest.raises(DataError, match=r"1 examples .*not finite.* 'b'\. "):
        require_finite_vectors(vectors, ["a", "b", "c"])


# ------------------------------------------------------------------------------------------------ loading
def test_the_encoder_of_a_classifier_is_loaded_without_its_head(tmp_path):
    model = BertForSequenceClassification(BertConfig(**SIZE))
    model.save_pretrained(tmp_path)
    state = torch.get_rng_state()
    opened = load_encoder(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in model.bert.state_dict().items():
        assert torch.equal(opened.state_dict()[name], value)


def test_only_a_pooler_may_be_lacking(tmp_path):
    BertModel(BertConfig(**SIZE), add_pooling_layer=False).save_pretrained(tmp_path)
    load_encoder(tmp_path)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"num_hidden_layers": 3', '"num_hidden_layers": 4'))
    with pytest.raises(EnvironmentFault, match=r": 16 weights missing, 'encoder\.layer\.3"):
        load_encoder(tmp_path)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(1, 7))
def test_the_windows_of_a_text_are_pooled_wherever_the_batches_end(counts, size):
    owners = np.repeat(np.arange(len(counts)), counts)
    vectors = np.random.default_rng(0).normal(size=(len(owners), 3)).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 3)
    whole = pa.record_batch({"id": [str(owner) for owner in owners], "labels": owners, "features": column})
    batches = [whole.slice(start, size) for start in range(0, len(owners), size)]
    pooled = pa.Table.from_batches(pool_windows(batches))
    assert pooled["labels"].to_pylist() == [*range(len(counts))]
    expected = [vectors[owners == text].mean(axis=0) for text in range(len(counts))]
    assert np.array(pooled["features"].to_pylist()) == pytest.approx(np.array(expected), abs=1e-6)
    assert pooled.schema == whole.schema
