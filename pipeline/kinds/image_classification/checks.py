"""Checks of image classification: of images, of classes, and of the classes against a reference."""

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from pipeline.checks.drift import total_variation
from pipeline.checks.duplicates import mark_shared
from pipeline.checks.measures import (
    MOST_LINES,
    NO_REFERENCE,
    Checks,
    Measure,
    count_split_rows,
    measure_dropped,
    measure_listed,
    ratio,
    tabulate_measures,
)
from pipeline.checks.suite import (
    Check,
    bound_measure,
    check_known_labels,
    limit_measure,
    list_class_checks,
    list_row_checks,
    list_split_checks,
)
from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.core.tables import IMAGE_TYPE, labels_of
from pipeline.examples.records import places_of
from pipeline.images.decoding import CHANGE_TITLES, open_picture, unpack_images
from pipeline.kinds.image_classification.settings import ImageChecksParams

_EXAMPLE_COLUMNS = {
    "id": "string", "split": "string", "image": str(IMAGE_TYPE), "width": "int64", "height": "int64",
    "label": "int64", "row": "int64",
}  # fmt: skip
_SHOWN = tuple(name for name in _EXAMPLE_COLUMNS if name != "image")  # of the frame, which holds no image
_HASHED = (17, 16)  # pixels to which an image is shrunk before neighbours in a row are compared


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


def _profile(table: pa.Table) -> Document:
    train = table.filter(pc.equal(table["split"], "train"))
    counts, rows = Counter(train["label"].to_pylist()), train.num_rows
    return {
        "rows": rows,
        "label_shares": {name: counts[at] / rows if rows else 0.0 for at, name in enumerate(labels_of(table))},
    }


def _measure(
    table: pa.Table, intake: Mapping[str, Any], params: ImageChecksParams, present: Mapping[str, Any]
) -> dict[str, Measure]:
    drift = Measure(None, reason=NO_REFERENCE)
    if params.reference is not None:
        drift = Measure(total_variation(present["label_shares"], params.reference.label_shares))
    try:
        changes = {f"{name}_share": measure_listed(intake["changed"][name], intake["rows"]) for name in CHANGE_TITLES}
    except (KeyError, TypeError) as error:
        raise EnvironmentFault(f"intake: not as ingest writes it, {error!r}. {REPRODUCE}") from error
    blank = pa.array([*map(is_blank, unpack_images(table["image"]))], pa.bool_())
    return {
        **measure_dropped(intake),
        **changes,
        "blank_share": _measure_rows(table.filter(blank), table.num_rows),
        "near_share": measure_near_pictures(table),
        "label_drift": drift,
    }


def measure_near_pictures(table: pa.Table) -> Measure:
    """Return the share of held-out rows whose image has the hash of one in train (see `hash_differences`)."""
    hashes = [*map(hash_differences, unpack_images(table["image"]))]
    in_train = [split == "train" for split in table["split"].to_pylist()]
    known = {each for each, train in zip(hashes, in_train, strict=True) if train}
    near = [not train and each in known for each, train in zip(hashes, in_train, strict=True)]
    return _measure_rows(table.filter(pa.array(near, pa.bool_())), in_train.count(False))


def _measure_rows(rows: pa.Table, whole: int) -> Measure:
    places = (place for place in places_of(rows) if place is not None)
    return Measure(ratio(rows.num_rows, whole), rows.num_rows, tuple(islice(places, MOST_LINES)))


def _build_frames(table: pa.Table, present: Mapping[str, Any], measures: Mapping[str, Measure]) -> dict[str, pa.Table]:
    shares = present["label_shares"]
    train = Counter(table.filter(pc.equal(table["split"], "train"))["label"].to_pylist())
    columns = [name for name in (*_SHOWN, "file") if name in table.column_names]
    leaked = mark_shared(table["id"].to_pylist(), table["split"].to_pylist())
    side = pc.min_element_wise(table["width"], table["height"])
    return {
        "examples": table.select(columns)
        .append_column("side", side)
        .append_column("leaked", pa.array(leaked, pa.bool_())),
        "splits": count_split_rows(table),
        "classes": pa.table(
            {
                "name": [*shares],
                "rows": pa.array([train[at] for at in range(len(shares))], pa.int64()),
                "share": [*shares.values()],
            }
        ),
        "measures": tabulate_measures(measures),
    }


def _list_checks(params: ImageChecksParams, labels: tuple[str, ...]) -> list[Check]:
    again = "look for the program that writes them so"
    return [
        *list_row_checks(_SHOWN),
        check_known_labels(labels),
        Check("no_leak", "No image in two splits", "critical", "examples", "each image in one split",
              "remove the rows from one of the splits, or let `ingest.shares` deal them",
              "expect_column_values_to_be_in_set", {"column": "leaked", "value_set": [False]}),
        Check("small_image", "Images large enough", "warning", "examples",
              f"sides of {params.min_side} pixels at least",
              "take larger images, or lower `validate.min_side`",
              "expect_column_values_to_be_between", {"column": "side", "min_value": params.min_side}),
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
    columns=lambda _: _EXAMPLE_COLUMNS, profile=_profile, measure=_measure, frames=_build_frames, suite=_list_checks
)
