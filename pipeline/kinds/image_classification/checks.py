"""Checks of image classification: of images, of classes, and of the classes against a reference."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from pipeline.checks.chunks import Chunks, select_held_out, select_train
from pipeline.checks.drift import total_variation
from pipeline.checks.measure import Measure, measure_failed, measure_listed, ratio
from pipeline.checks.measures import NO_REFERENCE, Checks, build_frames, measure_dropped
from pipeline.checks.rows import RowTest, count_failures, count_values, locate
from pipeline.checks.suite import (
    Check,
    bound_measure,
    check_known_labels,
    check_leaks,
    check_rows,
    limit_measure,
    list_class_checks,
    list_row_checks,
    list_split_checks,
)
from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.core.tables import IMAGE_TYPE, labels_of
from pipeline.images.decoding import CHANGE_TITLES, open_picture, unpack_images
from pipeline.kinds.image_classification.settings import ImageChecksParams

_EXAMPLE_COLUMNS = {
    "id": "string", "split": "string", "image": str(IMAGE_TYPE), "width": "int64", "height": "int64",
    "label": "int64", "row": "int64",
}  # fmt: skip
_SHOWN = tuple(name for name in _EXAMPLE_COLUMNS if name != "image")  # of the frame, which holds no image
_HASHED = (17, 16)  # pixels to which an image is shrunk before neighbours in a row are compared
_HASH_BYTES = 32


def hash_differences(encoded: bytes) -> bytes:
    """Return 256 bits that small changes of an image hardly touch: which pixels are brighter than their left neighbour.

    Source: Krawetz (2013), "Kind of Like That" (dHash).
    """
    small = np.asarray(open_picture(encoded).convert("L").resize(_HASHED, Image.Resampling.BILINEAR)).astype(np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes()


def is_blank(encoded: bytes) -> bool:
    """Return whether all pixels of an image are equal."""
    pixels = np.asarray(open_picture(encoded))
    return bool((pixels == pixels[:1, :1]).all())


def _profile(chunks: Chunks) -> Document:
    counts = count_values(select_train(chunks), "label", "train rows of each label")
    rows = counts.total()
    return {
        "rows": rows,
        "label_shares": {name: counts[at] / rows if rows else 0.0 for at, name in enumerate(labels_of(chunks.schema))},
    }


def _measure(
    chunks: Chunks, intake: Mapping[str, Any], params: ImageChecksParams, present: Mapping[str, Any]
) -> dict[str, Measure]:
    drift = Measure(None, reason=NO_REFERENCE)
    if params.reference is not None:
        drift = Measure(total_variation(present["label_shares"], params.reference.label_shares))
    try:
        changes = {f"{name}_share": measure_listed(intake["changed"][name], intake["rows"]) for name in CHANGE_TITLES}
    except (KeyError, TypeError) as error:
        raise EnvironmentFault(f"intake: not as ingest writes it, {error!r}. {REPRODUCE}") from error
    blank = RowTest(("image",), lambda chunk: pa.array([*map(is_blank, unpack_images(chunk["image"]))], pa.bool_()))
    return {
        **measure_dropped(intake),
        **changes,
        "blank_share": measure_failed(count_failures(chunks, {"blank": blank}, question="blank images")["blank"]),
        "near_share": measure_near_pictures(chunks),
        "label_drift": drift,
    }


def measure_near_pictures(chunks: Chunks) -> Measure:
    """Return the share of held-out rows whose image has the hash of one in train (see `hash_differences`)."""
    known = set(_hash_images(select_train(chunks), "hashes of train"))
    held_out = select_held_out(chunks)
    hashes = _hash_images(held_out, "hashes of held-out images")
    near = np.array([at for at, own in enumerate(hashes) if own in known], np.int64)
    return Measure(ratio(len(near), len(hashes)), len(near), locate(held_out, near))


def _hash_images(chunks: Chunks, question: str) -> list[bytes]:
    parts = chunks.compute(
        question, ("image",), lambda chunk: b"".join(map(hash_differences, unpack_images(chunk["image"])))
    )
    return [part[at : at + _HASH_BYTES] for part in parts for at in range(0, len(part), _HASH_BYTES)]


def _has_short_side(least: int) -> RowTest:
    """Return the test that fails images with a side of fewer than `least` pixels."""

    def fails(chunk: pa.Table) -> pa.Array:
        return pc.less(pc.min_element_wise(chunk["width"], chunk["height"]), least)

    return RowTest(("width", "height"), fails)


def _list_checks(params: ImageChecksParams, labels: tuple[str, ...]) -> list[Check]:
    again = "look for the program that writes them so"
    return [
        *list_row_checks(_SHOWN),
        check_known_labels(labels),
        check_leaks("image"),
        check_rows("small_image", "Images large enough", f"sides of {params.min_side} pixels at least",
                   "take larger images, or lower `validate.min_side`", _has_short_side(params.min_side),
                   severity="warning"),
        *list_split_checks(params),
        *list_class_checks(params),
        bound_measure("blank_share", "No image of one colour", "warning", 0.0, "look at them, and remove the rows"),
        limit_measure(params, "max_conflict_share", "conflict_share", "Share of rows whose image has several labels",
                      "correct the labels", severity="critical"),
        limit_measure(params, "max_duplicate_share", "duplicate_share", "Share of rows that repeat another",
                      "look for the cause in the source"),
        limit_measure(params, "max_near_share", "near_share", "Share of held-out rows with a near duplicate in train",
                      "keep such rows together with `ingest.group`"),
        *(limit_measure(params, "max_changed_share", f"{name}_share", f"Share of images {title}", again)
          for name, title in CHANGE_TITLES.items()),
        limit_measure(params, "max_dropped_share", "empty_share", "Share of rows dropped without an image",
                      "look for the cause in the source"),
        limit_measure(params, "max_dropped_share", "unlabelled_share", "Share of rows dropped without a label",
                      "label them"),
        bound_measure("stale_share", "Share of corrections that no longer fit", "warning", 0.0,
                      "take them out of the file of `ingest.corrections`; their image or its label has changed"),
        bound_measure("label_drift", "Label shares against the reference", "warning", params.max_label_drift,
                      f"look for the cause; if it is intended, run `python -m pipeline accept {params.task}`"),
    ]  # fmt: skip


CHECKS = Checks(
    columns=lambda _: _EXAMPLE_COLUMNS,
    profile=_profile,
    measure=_measure,
    frames=build_frames,
    suite=_list_checks,
    keys=("id",),
)
