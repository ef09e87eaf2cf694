"""The losses beside those of the library's own models, through the objective."""

import numpy as np
import pytest
import torch

from pipeline.models.attention import FLAT
from pipeline.models.compute import with_attention
from pipeline.pretrain.batches import (
    Batch,
    build_batch,
    plan_updates,
)
from pipeline.pretrain.masking import IGNORED
from pipeline.pretrain.objective import TEXT
from tests.given.pretraining import DEVICE, corpus, encoder, with_params

PAIRED = [("bert", "nsp"), ("albert", "sop")]


def stock_inputs(batch: Batch) -> dict[str, torch.Tensor]:
    """Return a batch padded as the library's collators do."""
    count, width = len(batch.tokens.lengths), int(batch.tokens.lengths.max())
    ids, mask, types = (torch.zeros(count, width, dtype=torch.int64) for _ in range(3))
    labels = torch.full((count, width), IGNORED)
    for row, (start, stop) in enumerate(zip(batch.tokens.offsets, batch.tokens.offsets[1:], strict=False)):
        size = stop - start
        ids[row, :size] = torch.from_numpy(batch.tokens.values[start:stop].astype(np.int64))
        labels[row, :size], mask[row, :size] = torch.from_numpy(batch.labels[start:stop]), 1
        if batch.tokens.types is not None:
            types[row, :size] = torch.from_numpy(batch.tokens.types[start:stop].astype(np.int64))
    return {"input_ids": ids, "attention_mask": mask, "labels": labels, "token_type_ids": types}


@pytest.mark.parametrize(("family", "pair"), PAIRED)
@pytest.mark.parametrize("attention", ["eager", FLAT])
def test_loss_and_gradient_are_those_of_the_stock_model(family, pair, attention):
    params = with_params(family=family, pair=pair, short=0.5, batch_tokens=2000)
    train, ours, stock = corpus(), encoder(params), encoder(params)
    step = plan_updates(train, params)[0]
    with with_attention(ours, attention):
        (loss,) = TEXT.losses(ours.train(), train, None, step, params, DEVICE)
        loss.backward()
    batch = build_batch(train, params, 0, step.rows)
    name = {"nsp": "next_sentence_label", "sop": "sentence_order_label"}[pair]
    expected = stock.train()(**stock_inputs(batch), **{name: torch.from_numpy(batch.pairs)}).loss
    expected.backward()
    torch.testing.assert_close(loss, expected)
    for (name, weight), other in zip(ours.named_parameters(), stock.parameters(), strict=True):
        if other.grad is not None:
            torch.testing.assert_close(weight.grad, other.grad, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("family", ["roberta", "distilbert", "modernbert"])
def test_the_masked_loss_is_that_of_the_stock_model(family):
    params = with_params(family=family)
    train, ours, stock = corpus(), encoder(params), encoder(params)
    step = plan_updates(train, params)[0]
    (loss,) = TEXT.losses(ours.train(), train, None, step, params, DEVICE)
    inputs = stock_inputs(build_batch(train, params, 0, step.rows))
    del inputs["token_type_ids"]
    torch.testing.assert_close(loss, stock.train()(**inputs).loss)


def test_accumulated_micro_batches_are_one_large_batch():
    params = with_params(pair="nsp", batch_tokens=10_000)
    train, model = corpus(), encoder(params)
    step = plan_updates(train, params)[0]
    cut = np.array_split(step.rows, [2, 9])
    (whole,) = TEXT.losses(model, train, None, step, params, DEVICE)
    parts = sum(TEXT.losses(model, train, None, step._replace(parts=tuple(cut)), params, DEVICE))
    torch.testing.assert_close(parts, whole)
