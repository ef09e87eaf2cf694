from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

from pipeline.models.attention import FLAT
from pipeline.models.batches import Ragged
from pipeline.models.compute import with_attention
from pipeline.models.device import Device
from pipeline.models.inference import compute_logits, compute_token_logits, predict_probabilities
from pipeline.models.layers import shorten_last_layer

SIZES = {
    "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 24, "pad_token_id": 7, "initializer_range": 0.5, "num_labels": 3,
}  # fmt: skip
DEVICE = Device(torch.device("cpu"), "fp32", "a test")
ROWS = [np.random.default_rng(length).integers(1, 50, size=1 + length % 23).tolist() for length in range(300)]


def tokens(rows: Sequence[Sequence[int]]) -> Ragged:
    offsets = np.cumsum([0, *map(len, rows)])
    return Ragged(np.array([token for row in rows for token in row], dtype=np.int32), offsets)


@pytest.fixture(scope="module")
def model() -> BertForSequenceClassification:
    """A small BERT classifier with random weights, dropout and a padding id other than 0."""
    config = BertConfig(**SIZES)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return BertForSequenceClassification(config)


def one_at_a_time(model: BertForSequenceClassification) -> np.ndarray:
    model.eval()
    with torch.inference_mode():
        return np.array([model(input_ids=torch.tensor([row])).logits[0].numpy() for row in ROWS])


def test_logits_agree_with_one_row_at_a_time_in_order(model):
    expected = one_at_a_time(model)
    assert expected.std(axis=0).min() > 0.05  # rows differ, so a wrong order would show
    for batch_size in (1, 7, 300):
        actual = compute_logits(model.train(), tokens(ROWS), DEVICE, batch_tokens=64, batch_size=batch_size)
        assert actual.dtype == torch.float32
        assert actual.numpy() == pytest.approx(expected, abs=1e-5)


def test_probabilities_are_the_softmax_of_the_logits(model):
    expected = np.exp(one_at_a_time(model).astype(np.float64))
    with shorten_last_layer(model):
        actual = predict_probabilities(model, tokens(ROWS), DEVICE)
    assert actual.dtype == np.float64
    assert actual == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-5)
    assert actual.sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_the_same_rows_give_the_same_bytes(model):
    first, second = (predict_probabilities(model, tokens(ROWS), DEVICE).tobytes() for _ in range(2))
    assert first == second


def test_no_rows_give_no_probabilities(model):
    assert predict_probabilities(model, tokens([]), DEVICE).shape == (0, 3)


@pytest.mark.parametrize("kind", [BertForTokenClassification, BertForQuestionAnswering])
@pytest.mark.parametrize("attention", ["eager", FLAT])
def test_every_token_has_the_logits_that_its_row_has_alone(model, kind, attention):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        wide = kind(model.config if kind is BertForTokenClassification else BertConfig(**{**SIZES, "num_labels": 2}))
    wide.eval()
    with torch.inference_mode():
        outputs = [wide(input_ids=torch.tensor([row])) for row in ROWS[:40]]
    expected = [
        output.logits[0] if "logits" in output else torch.stack([output.start_logits[0], output.end_logits[0]], dim=-1)
        for output in outputs
    ]
    with with_attention(wide, attention):
        actual = compute_token_logits(wide, tokens(ROWS[:40]), DEVICE, batch_tokens=64, batch_size=7)
    torch.testing.assert_close(actual, torch.cat(expected), rtol=1e-4, atol=1e-5)
