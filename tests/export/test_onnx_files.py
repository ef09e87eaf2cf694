import numpy as np
import pytest
import torch
from transformers import (
    ModernBertConfig,
    ModernBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from pipeline.core.errors import EnvironmentFault
from pipeline.export.onnx_files import write_fp32, write_int8
from pipeline.predict.onnx_model import open_onnx
from tests.given.families import MODERN, SIZE

LAYERS = {"num_hidden_layers": 2}
INPUTS = ("input_ids", "attention_mask")
# What a BERT has not: positions counted from the padding's, and layers that see their neighbourhood alone.
FAMILIES = {
    "roberta": lambda: RobertaForSequenceClassification(
        RobertaConfig(
            **SIZE | LAYERS, pad_token_id=1, max_position_embeddings=42, num_labels=3, attn_implementation="eager"
        )
    ),
    "modernbert": lambda: ModernBertForSequenceClassification(
        ModernBertConfig(**MODERN | LAYERS, num_labels=3, attn_implementation="eager")
    ),
}


@pytest.fixture(scope="module", params=FAMILIES)
def written(request, tmp_path_factory):
    """A model with random weights, and its files in fp32 and int8."""
    folder = tmp_path_factory.mktemp(request.param)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = FAMILIES[request.param]().eval()
    write_fp32(model, folder / "fp32.onnx", INPUTS, max_length=40)
    write_int8(folder / "fp32.onnx", folder / "int8.onnx")
    return model, folder


@pytest.mark.parametrize("shape", [(1, 2), (3, 7), (5, 40), (9, 3)])
def test_another_family_computes_the_same_at_every_shape(written, shape):
    model, folder = written
    ids = np.random.default_rng(0).integers(3, 50, shape)
    mask = np.ones_like(ids)
    mask[-1, shape[1] // 2 :] = shape[0] == 1  # the last row is padded, unless it is the only one
    ids[mask == 0] = model.config.pad_token_id
    with torch.inference_mode():
        expected = model(torch.from_numpy(ids), torch.from_numpy(mask)).logits.numpy()
    arrays = dict(zip(INPUTS, (ids, mask), strict=True))
    assert open_onnx(folder / "fp32.onnx", threads=1)(arrays) == pytest.approx(expected, abs=1e-5)
    assert open_onnx(folder / "int8.onnx", threads=1)(arrays) == pytest.approx(expected, abs=0.1)


def test_a_model_that_cannot_be_traced_is_a_fault_that_names_it(tmp_path):
    class Untraceable(torch.nn.Module):
        def forward(self, input_ids, **_):
            return {"logits": input_ids} if input_ids.sum().item() > 0 else input_ids.tolist()

    with pytest.raises(EnvironmentFault, match="Untraceable"):
        write_fp32(Untraceable(), tmp_path / "x.onnx", INPUTS, max_length=8)
    assert not (tmp_path / "x.onnx").exists()


def test_a_file_that_is_no_model_is_a_fault(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(EnvironmentFault, match=r"x\.onnx"):
        open_onnx(tmp_path / "x.onnx", threads=1)
