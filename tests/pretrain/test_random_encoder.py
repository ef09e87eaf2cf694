"""Encoders with random weights: drawn from a seed, opened by the library, refused with the key to correct."""

import pytest
import torch
from pydantic import ValidationError

from pipeline.core.errors import UsageError
from pipeline.models.folder import load_encoder
from pipeline.models.layers import count_layers, find_layers, freeze, scale_layer_rates
from pipeline.pretrain.random_encoder import draw_encoder
from tests.given.images import SHAPES, make_image_encoder, random_source


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_depend_on_the_seed_alone(tmp_path, shape):
    state = torch.random.get_rng_state()
    one, again = (make_image_encoder(tmp_path / name, shape) for name in "ab")
    assert torch.equal(state, torch.random.get_rng_state())
    names = sorted(path.name for path in one.iterdir())
    assert names == ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert all((one / name).read_bytes() == (again / name).read_bytes() for name in names)
    (tmp_path / "c").mkdir()
    draw_encoder(random_source(shape, seed=1), tmp_path / "c", tmp_path)
    assert (tmp_path / "c/model.safetensors").read_bytes() != (one / "model.safetensors").read_bytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_layers_of_any_family_are_found_and_frozen(tmp_path, shape):
    model = load_encoder(make_image_encoder(tmp_path / shape, shape))
    assert len(find_layers(model)) == count_layers(model.config) == 2
    scales = scale_layer_rates(model, 0.5)
    assert {0.125, 0.25, 0.5} <= set(scales.values())
    freeze(model, embeddings=True, layers=1)
    assert {scales[name] for name, weight in model.named_parameters() if not weight.requires_grad} == {0.125, 0.25}


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"model_type": "no-such-model"}},
        {"config": {"model_type": "vit", "patch_size": "large"}},
        {"processor": {"image_processor_type": "NoSuchProcessor"}},
    ],
)
def test_a_shape_that_the_library_does_not_take_is_refused(tmp_path, changes):
    with pytest.raises(UsageError, match=r"sources\.tiny"):
        draw_encoder(random_source(**changes), tmp_path, tmp_path)


@pytest.mark.parametrize("changes", [{"config": {}}, {"processor": {"size": 3}}, {"seed": -1}])
def test_a_source_names_its_types(changes):
    with pytest.raises(ValidationError):
        random_source(**changes)
