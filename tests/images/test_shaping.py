"""Shaping without transformers: the same bytes as its processors make, to the last bit."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from transformers.image_transforms import center_crop
from transformers.image_utils import ChannelDimension

from pipeline.core.errors import EnvironmentFault
from pipeline.images.processor import load_processor, read_scale, shape_images
from pipeline.images.shaping import crop_center, read_shaping, scale_bytes
from tests.given.images import make_image_encoder, noise

SQUARE = {"height": 24, "width": 20}
MEANS = {"image_mean": [0.4, 0.5, 0.6], "image_std": 0.3}
PROCESSORS = {
    "vit": {"image_processor_type": "ViTImageProcessor", "size": SQUARE},
    "fast": {"image_processor_type": "ViTImageProcessorFast", "size": SQUARE, "resample": 3, **MEANS},
    "deit": {"image_processor_type": "DeiTImageProcessor", "size": {"height": 30, "width": 40}, "crop_size": SQUARE},
    "bit": {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 26}, "crop_size": SQUARE},
    "clip": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 9}, "crop_size": SQUARE},
    "convnext": {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 23}},
    "warped": {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": SQUARE, "do_rescale": False},
    "plain": {"image_processor_type": "ViTImageProcessor", "size": SQUARE, "do_normalize": False, "resample": 0},
}  # fmt: skip
IMAGES = [noise(height, width, 3, seed=height) for height, width in ((40, 31), (7, 90), (24, 20), (3, 3), (200, 150))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_image_encoder(tmp_path_factory.mktemp("shaping") / "encoder")


@pytest.mark.parametrize("name", PROCESSORS)
def test_bytes_and_numbers_are_those_of_the_library(folder, tmp_path, name):
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSORS[name]))
    processor = load_processor(folder)
    processor.save_pretrained(tmp_path)
    shaping, scale = read_shaping(tmp_path)
    assert scale == read_scale(processor)
    for image in (*IMAGES, noise(30, 40, seed=1)):
        own, (wanted,) = shaping.apply(image), shape_images(processor, [image])
        assert (own.dtype, own.shape, own.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
        (numbers,) = processor(images=[image.convert("RGB")], return_tensors="np")["pixel_values"]
        np.testing.assert_allclose(scale_bytes(own[None], scale)[0], numbers, rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(pixels=arrays.arrays(np.uint8, st.tuples(st.just(3), st.integers(1, 9), st.integers(1, 9))), data=st.data())
def test_the_middle_is_where_the_library_has_it(pixels, data):
    size = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    wanted = center_crop(pixels, size, ChannelDimension.FIRST, ChannelDimension.FIRST)
    assert crop_center(pixels, size).tolist() == wanted.tolist()


@pytest.mark.parametrize(
    "changes",
    [
        {"size": {"shortest_edge": 9, "longest_edge": 12}},
        {"size": 9},
        {"size": None},
        {"resample": 77},
        {"image_mean": "dark"},
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 9}, "crop_pct": None},
    ],
)
def test_what_only_the_library_does_is_refused(folder, tmp_path, changes):
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSORS["vit"]))
    load_processor(folder).save_pretrained(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(EnvironmentFault, match=r"preprocessor_config\.json: "):
        read_shaping(tmp_path)
