import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForImageClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from pipeline.core.errors import EnvironmentFault
from pipeline.export.onnx_files import count_floats, write_fp32, write_int8
from pipeline.predict.onnx_model import open_onnx
from tests.given.families import MODERN, SIZE
from tests.given.images import SIDE, make_image_encoder

LAYERS = {"num_hidden_layers": 2}
INPUTS = ("input_ids", "attention_mask")
EXAMPLE = dict.fromkeys(INPUTS, np.ones((1, 2), np.int64))
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
    write_fp32(model, folder / "fp32.onnx", EXAMPLE, max_length=40)
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


@pytest.mark.parametrize(("shape", "left"), [("resnet", 0.75), ("vit", 0)])
def test_images_of_any_number_are_computed_and_convolutions_stay_as_they_are(tmp_path, shape, left):
    model = AutoModelForImageClassification.from_pretrained(make_image_encoder(tmp_path / "encoder", shape)).eval()
    files = [tmp_path / name for name in ("fp32.onnx", "int8.onnx")]
    write_fp32(model, files[0], {"pixel_values": np.zeros((1, 3, SIDE, SIDE), np.float32)}, max_length=1)
    write_int8(*files)
    assert left * count_floats(files[0]) <= count_floats(files[1]) <= count_floats(files[0])
    for rows in (1, 3):
        images = np.random.default_rng(0).normal(size=(rows, 3, SIDE, SIDE)).astype(np.float32)
        with torch.inference_mode():
            expected = model(torch.from_numpy(images)).logits.numpy()
        assert open_onnx(files[0], threads=1)({"pixel_values": images}) == pytest.approx(expected, abs=1e-4)
        assert open_onnx(files[1], threads=1)({"pixel_values": images}) == pytest.approx(expected, abs=0.2)


def test_a_model_that_cannot_be_traced_is_a_fault_that_names_it(tmp_path):
    class Untraceable(torch.nn.Module):
        def forward(self, input_ids, **_):
            return {"logits": input_ids} if input_ids.sum().item() > 0 else input_ids.tolist()

    with pytest.raises(EnvironmentFault, match="Untraceable"):
        write_fp32(Untraceable(), tmp_path / "x.onnx", EXAMPLE, max_length=8)
    assert not (tmp_path / "x.onnx").exists()


def test_a_file_that_is_no_model_is_a_fault(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(EnvironmentFault, match=r"x\.onnx"):
        open_onnx(tmp_path / "x.onnx", threads=1)
