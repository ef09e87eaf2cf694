"""Encoders of each family: new, continued, and refused."""

import json

import numpy as np
import pytest
import torch

from pipeline.core.errors import DataError, UsageError
from pipeline.models.attention import FLAT
from pipeline.models.compute import matches_eager
from pipeline.models.layers import find_layers
from pipeline.pretrain.batches import plan_updates
from pipeline.pretrain.families import continue_encoder, open_encoder, require_pair_head
from pipeline.pretrain.objective import TEXT
from tests.given.pretraining import DEVICE, VOCABULARY, corpus, encoder, with_params


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_attentions_of_encoders_are_compared_too(family):
    params, train = with_params(family=family), corpus()
    model = encoder(params)
    rows = plan_updates(train, params)[0].rows
    assert matches_eager(model, FLAT, lambda: TEXT.outputs(model, train, rows, DEVICE))
    assert len(find_layers(model)) == 2


def test_only_families_with_a_head_for_pairs_learn_them():
    require_pair_head(with_params(pair="nsp"))
    with pytest.raises(UsageError, match=r"encoders\.e: `pair: sop` .*roberta.* bert, albert, or `pair: none`"):
        require_pair_head(with_params(family="roberta", pair="sop"))


def test_a_tokenizer_too_large_for_its_encoder_has_a_fix_that_can_be_followed(tmp_path):
    params = with_params(start="base", tokenizer="base")
    encoder(params).save_pretrained(tmp_path)
    larger = VOCABULARY._replace(begins=np.ones(61, bool))
    with pytest.raises(DataError, match=r"has 61 tokens, the encoder 60\. Set `start: scratch`, or .* `base`\."):
        open_encoder(params, tmp_path, larger)


def test_a_folder_goes_on_and_another_family_is_refused(tmp_path):
    params = with_params()
    model = encoder(params)
    model.save_pretrained(tmp_path)
    again = continue_encoder(tmp_path, params)
    for weight, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(weight, other)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "bert"
    with pytest.raises(UsageError, match=r"encoders\.e: `family` .*'bert', found 'albert'.* `family: bert`"):
        continue_encoder(tmp_path, with_params(family="albert"))
