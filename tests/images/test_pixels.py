"""Pixels of fixed size: as the library's processor makes them, taken without copies, and shown anew each epoch."""

import numpy as np
import pyarrow as pa
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.core.parts.work import open_work
from pipeline.core.tables import describe, read_arrow, write_arrow, write_parquet
from pipeline.images.decoding import pack_images
from pipeline.images.pixels import Crop, draw_view, show, take_pixels, to_pixels
from pipeline.images.processor import load_processor
from pipeline.kinds.image_classification.feed import scale_pixels
from pipeline.kinds.image_classification.inputs import INPUTS
from pipeline.models.device import choose_device
from pipeline.models.inputs import encode_in_parts
from pipeline.settings.task import TaskParams
from tests.given.images import encode_image, make_image_encoder, noise

CPU = choose_device("fp32")


def write_inputs(folder, images):
    """Write examples and their inputs, of which each record batch has two rows; return the table and the encoder."""
    table = pa.table(
        {
            "id": [str(row) for row in range(len(images))],
            "split": ["train", "test"] * (len(images) // 2),
            "image": pack_images([encode_image(image) for image in images]),
            "label": pa.array([0] * len(images), pa.int64()),
        }
    )
    write_parquet(folder / "examples.parquet", describe(table, task="t", labels=("a", "b")))
    encoder = make_image_encoder(folder / "encoder")
    encoded = INPUTS.encode(TaskParams(task="t"), folder / "examples.parquet", encoder)
    batches = encode_in_parts(encoded, open_work(folder, None))
    parts = [batch.slice(start, 2) for batch in batches for start in range(0, batch.num_rows, 2)]
    write_arrow(folder / "tokens.arrow", encoded.schema, parts)
    return read_arrow(folder / "tokens.arrow"), encoder


def test_pixels_are_those_of_the_librarys_processor(tmp_path):
    images = [noise(20, 31, 3), noise(16, 16), noise(9, 40, 3, seed=1), noise(50, 17, seed=2)]
    table, encoder = write_inputs(tmp_path, images)
    pixels = to_pixels(table)
    wanted = load_processor(encoder)(images=[image.convert("RGB") for image in images], return_tensors="pt")
    given = scale_pixels(pixels, take_pixels(pixels, np.arange(4)), CPU)
    torch.testing.assert_close(given["pixel_values"], wanted["pixel_values"], rtol=1e-5, atol=1e-6)
    assert INPUTS.summarize(table) == "4 images of 16 x 16 pixels"
    assert b"ViTImageProcessorPil" in table.schema.metadata[b"processor"]


def test_rows_are_taken_from_any_chunk_and_slice(tmp_path):
    images = [noise(16, 16, 3, seed=seed) for seed in range(6)]
    table, _ = write_inputs(tmp_path, images)
    assert table["pixels"].num_chunks == 3
    stacked = np.stack([np.asarray(image).transpose(2, 0, 1) for image in images])
    pixels = to_pixels(table, np.array([5, 0, 3]))
    assert np.array_equal(take_pixels(pixels, np.array([2, 0, 1])), stacked[[3, 5, 0]])
    assert np.array_equal(take_pixels(to_pixels(table.slice(1, 4)), np.arange(4)), stacked[1:5])
    batch = table.to_batches()[1]
    assert np.array_equal(take_pixels(to_pixels(batch), np.arange(2)), stacked[2:4])


@settings(deadline=None)
@given(
    images=arrays.arrays(np.uint8, (3, 3, 5, 4)),
    offsets=arrays.arrays(np.int64, (3, 2), elements=st.integers(0, 4)),
    mirrored=arrays.arrays(np.bool_, 3),
)
def test_a_view_is_the_padded_image_cropped_and_mirrored(images, offsets, mirrored):
    shown = show(images, Crop(offsets, mirrored), 2)
    for image, (top, left), flipped, view in zip(images, offsets, mirrored, shown, strict=True):
        part = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="edge")[:, top : top + 5, left : left + 4]
        assert np.array_equal(view, part[..., ::-1] if flipped else part)


def test_a_view_depends_on_seed_epoch_and_row():
    one = draw_view(0, 3, 500, 2, flip=True)
    draw_view.cache_clear()
    again = draw_view(0, 3, 500, 2, flip=True)
    assert all(np.array_equal(*pair) for pair in zip(one, again, strict=True))
    others = [draw_view(0, 4, 500, 2, flip=True), draw_view(1, 3, 500, 2, flip=True)]
    assert all((one.offsets != other.offsets).any() for other in others)
    assert set(one.offsets.ravel().tolist()) == set(range(5))
    assert 0.4 < one.mirrored.mean() < 0.6
    assert not draw_view(0, 3, 500, 2, flip=False).mirrored.any()


def test_without_a_margin_an_image_is_shown_whole():
    images = np.asarray(noise(3, 6 * 4)).reshape(1, 3, 6, 4)
    assert np.array_equal(show(images, draw_view(0, 0, 1, 0, flip=False), 0), images)
