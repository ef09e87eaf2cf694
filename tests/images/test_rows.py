"""Rows of images: what they cost, what is refused, and a probe that shows nobody's images."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.images.rows import ImageRow, draw_probe, fit_image, open_reader, read_image, restore_probe
from pipeline.predict.bundle import Probe
from pipeline.predict.questions import Unanswerable
from tests.given.images import PROCESSOR, SIDE, encode_image, noise


@pytest.fixture
def reader(tmp_path):
    config = PROCESSOR | {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "resample": 2}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    return open_reader(tmp_path)


@given(height=st.integers(1, 60), width=st.integers(1, 60))
def test_an_image_costs_its_patches(height, width):
    row = ImageRow(np.zeros((3, height, width), np.uint8))
    assert 16 * 16 * (len(row) - 1) < height * width <= 16 * 16 * len(row)


def test_a_probe_is_noise_of_several_sizes_that_gives_the_same_rows_again(reader):
    rows = [ImageRow(np.zeros((3, SIDE, SIDE), np.uint8))] * 30
    kept = draw_probe(rows)
    assert kept == draw_probe(rows)
    once, again = (restore_probe(reader, Probe.model_validate({**kept, "logits": {}}, strict=False)) for _ in range(2))
    assert len(once) == 30
    assert len({row.pixels.tobytes() for row in once}) == 30
    assert [row.pixels.tobytes() for row in once] == [row.pixels.tobytes() for row in again]
    assert len(draw_probe([ImageRow(np.zeros((3, 640, 640), np.uint8))] * 30)["images"]) == 10


@pytest.mark.parametrize("content", [None, b"", b"no image", encode_image(noise(40, 40))[:-300]])
def test_what_is_no_image_is_no_question(content):
    with pytest.raises(Unanswerable):
        read_image([content])


def test_an_image_of_another_size_than_the_model_reads_is_no_question(tmp_path):
    config = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"shortest_edge": 16}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    reader = open_reader(tmp_path)
    assert len(fit_image(reader, 0, read_image([encode_image(noise(30, 30))]))) == 1
    with pytest.raises(Unanswerable, match="32 x 16"):
        fit_image(reader, 0, read_image([encode_image(noise(30, 60))]))
