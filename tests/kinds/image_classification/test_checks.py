"""Checks of images, each made to fail by what it is for."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipeline.checks.expectations import run_checks
from pipeline.checks.findings import collect_findings
from pipeline.checks.keys import mark_keys
from pipeline.checks.measures import measure_rows, tabulate_measures
from pipeline.core.errors import EnvironmentFault
from pipeline.core.tables import describe
from pipeline.images.decoding import CHANGE_TITLES, pack_images, unpack_images
from pipeline.kinds.image_classification.checks import CHECKS, hash_differences, is_blank
from pipeline.kinds.image_classification.settings import ClassProfile, ImageChecksParams
from tests.given.images import encode_image, noise
from tests.given.settings import read_section
from tests.given.validating import make_chunks

PARAMS = ImageChecksParams.model_validate(
    {key: value for key, value in read_section("validate", "image-classification").items()
     if key in ImageChecksParams.model_fields}
    | {"task": "t", "reference": None, "min_rows": 1, "min_class_rows": 1}
)  # fmt: skip
NONE = {"rows": 0, "lines": []}
INTAKE = {
    "rows": 12, "dropped": {"duplicates": 0, "empty": 0, "unlabelled": 0},
    "changed": dict.fromkeys(CHANGE_TITLES, NONE),
    "corrections": {"given": 0, "stale": {"count": 0}}, "conflicts": NONE,
}  # fmt: skip


def examples(**columns) -> pa.Table:
    images = [encode_image(noise(12, 10, seed=seed)) for seed in range(12)]
    values = {
        "id": [str(row) for row in range(12)],
        "split": ["train"] * 6 + ["validation"] * 3 + ["test"] * 3,
        "image": pack_images(images),
        "width": [10] * 12,
        "height": [12] * 12,
        "label": [0, 1] * 6,
        "row": list(range(1, 13)),
    }
    return describe(pa.table(values | columns), task="t", labels=("a", "b"))


def outcomes(table, intake=INTAKE, params=PARAMS) -> dict[str, str]:
    chunks, suite = make_chunks(table, 5), CHECKS.suite(params, ("a", "b"))
    present = CHECKS.profile(chunks)
    measures = CHECKS.measure(chunks, intake, params, present) | measure_rows(suite, mark_keys(chunks, CHECKS.keys))
    frames = CHECKS.frames(chunks, present) | {"measures": tabulate_measures(measures)}
    return {
        row["check"]: row["outcome"] for row in collect_findings(suite, run_checks(suite, frames), frames, measures)
    }


def measure_near(table):
    chunks = make_chunks(table, 5)
    return CHECKS.measure(chunks, INTAKE, PARAMS, CHECKS.profile(chunks))["near_share"]


def test_good_examples_pass():
    found = outcomes(examples())
    assert {name for name, outcome in found.items() if outcome != "passed"} <= {"label_drift"}


IMAGES = [*unpack_images(examples()["image"])]
SHARED = [*IMAGES[:6], encode_image(noise(12, 10, seed=0).resize((20, 24), Image.Resampling.NEAREST)), *IMAGES[7:]]
PLAIN = [encode_image(Image.fromarray(np.full((9, 9), 40, np.uint8))), *IMAGES[1:]]


@pytest.mark.parametrize(
    ("columns", "check"),
    [
        ({"image": pack_images(PLAIN)}, "blank_share"),
        ({"width": [4] * 12}, "small_image"),
        ({"label": [0] * 12}, "class_rows"),
        ({"label": [5] * 12}, "label_known"),
        ({"id": ["0"] * 12}, "no_leak"),
        ({"split": ["train"] * 9 + ["validation"] * 3}, "split_rows"),
    ],
)
def test_a_fault_fails_its_check(columns, check):
    assert outcomes(examples(**columns))[check] == "failed"


@pytest.mark.parametrize("change", CHANGE_TITLES)
def test_many_changed_images_are_told(change):
    changed = {**INTAKE["changed"], change: {"rows": 9, "lines": [1]}}
    assert outcomes(examples(), {**INTAKE, "changed": changed})[f"{change}_share"] == "failed"


def test_a_near_duplicate_across_splits_is_told():
    small = noise(17, 16)
    large = small.resize((160, 170), Image.Resampling.LANCZOS)
    images = [encode_image(small), *IMAGES[1:6], encode_image(large, "JPEG", quality=95), *IMAGES[7:]]
    table = examples(image=pack_images(images))
    measure = measure_near(table)
    if hash_differences(images[0]) == hash_differences(images[6]):
        assert (measure.rows, measure.lines) == (1, (7,))
    same = examples(image=pack_images([*IMAGES[:6], IMAGES[0], *IMAGES[7:]]))
    assert measure_near(same).rows == 1


def test_classes_drift_from_a_reference():
    reference = ClassProfile(rows=9, label_shares={"a": 0.9, "b": 0.1})
    found = outcomes(examples(), params=PARAMS.model_copy(update={"reference": reference}))
    assert found["label_drift"] == "failed"


def test_blank_and_other_images():
    assert is_blank(PLAIN[0])
    assert not is_blank(IMAGES[0])


def test_an_intake_of_another_version_is_refused():
    chunks = make_chunks(examples())
    with pytest.raises(EnvironmentFault):
        CHECKS.measure(chunks, {**INTAKE, "changed": {}}, PARAMS, CHECKS.profile(chunks))
