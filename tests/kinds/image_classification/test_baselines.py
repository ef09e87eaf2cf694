"""Linear models of images: what the gradients are, and that classes are told apart."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipeline.core.tables import describe
from pipeline.images.decoding import pack_images
from pipeline.images.gradients import histogram_gradients, shrink_images
from pipeline.kinds.image_classification.baselines import BASELINES
from pipeline.kinds.image_classification.settings import ImageBaselineParams
from tests.given.images import encode_image, noise

STRIPES = np.tile(np.repeat([0, 255], 4), (32, 4)).astype(np.uint8)


def test_a_gradient_is_counted_by_its_direction():
    across, down = (histogram_gradients(image[None] / 255.0).reshape(16, 4, 9) for image in (STRIPES, STRIPES.T))
    assert (across.argmax(axis=-1) == 0).all()  # from left to right
    assert (down.argmax(axis=-1) == 4).all()  # a right angle to it
    assert np.linalg.norm(across.reshape(16, 36), axis=1) == pytest.approx(1)


def test_light_and_contrast_change_no_gradient():
    image = np.asarray(noise(32, 32)).astype(np.float64)[None] / 255
    assert histogram_gradients(image * 0.3 + 0.5) == pytest.approx(histogram_gradients(image), abs=1e-4)
    assert not histogram_gradients(np.full((2, 32, 32), 0.7)).any()


def test_images_are_shrunk_in_grey():
    shrunk = shrink_images([encode_image(noise(40, 50, 3)), encode_image(Image.fromarray(STRIPES))])
    assert shrunk.shape == (2, 32, 32)
    assert np.array_equal(shrunk[1] * 255, STRIPES)


def test_stripes_are_told_apart_whatever_the_features_say():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = [np.clip((STRIPES, STRIPES.T)[label] * 0.5 + rng.normal(60, 20, (32, 32)), 0, 255) for label in labels]
    ids, splits = [str(row) for row in range(40)], ["train"] * 24 + ["validation"] * 8 + ["test"] * 8
    about = {"task": "t", "labels": ("a", "b")}
    examples = pa.table(
        {"id": ids, "split": splits, "label": labels,
         "image": pack_images([encode_image(Image.fromarray(image.astype(np.uint8))) for image in images])}
    )  # fmt: skip
    vectors = rng.normal(size=(40, 4)).astype(np.float32)
    params = ImageBaselineParams(task="t", sample=1000, probe_strengths=(0.01, 1), max_iter=1000)
    known, rows = describe(examples, **about).slice(0, 32), describe(examples, **about).slice(24)
    fitted = BASELINES.fit(params, known, lambda: vectors[:32])
    answers = fitted.answer(rows, lambda: vectors[24:])
    assert (np.stack(answers["gradients"].to_pylist()).argmax(axis=1) == labels[24:]).all()
    assert answers["majority"].to_pylist() == [[0.5, 0.5]] * 16
    assert [*answers] == ["majority", "gradients", "probe"]
    assert [line.split(":")[0] for line in fitted.choices] == ["gradients", "probe"]
    assert fitted.saved is None
