"""Checks of multi-label classification: of texts, of the rows of each label, and of both against a reference."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.chunks import Chunks, select_train
from pipeline.checks.drift import profile_chunks, read_unlabelled
from pipeline.checks.measures import Checks, count_split_rows, measure_examples, tabulate_class_rows
from pipeline.checks.rows import RowTest
from pipeline.checks.suite import (
    Check,
    check_rows,
    list_change_checks,
    list_drift_checks,
    list_row_checks,
    list_share_checks,
    list_split_checks,
    list_text_checks,
)
from pipeline.core.document import Document
from pipeline.core.tables import labels_of
from pipeline.settings.shared.texts import LabelledTextChecksParams

LABEL_SET_COLUMNS = {
    "id": "string",
    "split": "string",
    "text": "string",
    "labels": "list<element: int64>",
    "row": "int64",
}
_BETWEEN = "expect_column_values_to_be_between"


def _count_labels(chunks: Chunks) -> Counter[int | None]:
    """Return the train rows of each label."""
    counts: Counter[int | None] = Counter()
    for chunk in select_train(chunks).read("labels"):
        counts.update(pc.list_flatten(chunk["labels"]).to_pylist())
    return counts


def _profile(chunks: Chunks) -> Document:
    """Return the profile of the train rows: the share of a label is that of all labels that are given."""
    labels, counts = labels_of(chunks.schema), _count_labels(chunks)
    lengths = profile_chunks(select_train(chunks), ("text",), read_unlabelled, labels)
    total = max(counts.total(), 1)
    return {**lengths, "label_shares": {name: counts[at] / total for at, name in enumerate(labels)}}


def _frames(chunks: Chunks, present: Mapping[str, Any]) -> dict[str, pa.Table]:
    """Return the frames; the share of a label in `classes` is that of the train rows that have it."""
    names, counts = labels_of(chunks.schema), _count_labels(chunks)
    rows = [counts[at] for at in range(len(names))]
    shares = {name: count / max(present["rows"], 1) for name, count in zip(names, rows, strict=True)}
    return {"splits": count_split_rows(chunks), "classes": tabulate_class_rows(rows, shares)}


def _has_unknown_label(classes: int) -> RowTest:
    """Return the test that fails rows without labels, or with one that is not the index of a class."""

    def fails(chunk: pa.Table) -> pa.Array:
        rows = chunk["labels"].to_pylist()
        return pa.array([labels is None or not all(0 <= at < classes for at in labels) for labels in rows], pa.bool_())

    return RowTest(("labels",), fails)


def _list_checks(params: LabelledTextChecksParams, labels: Sequence[str]) -> list[Check]:
    return [
        *list_row_checks(LABEL_SET_COLUMNS),
        check_rows("label_known", "Labels known", f"class indices from 0 to {len(labels) - 1}",
                   "run `dvc repro` to create the examples again", _has_unknown_label(len(labels))),
        *list_text_checks(params),
        *list_split_checks(params),
        Check("class_rows", "Rows of each label in train", "critical", "classes", f"at least {params.min_class_rows}",
              "add rows of these labels, or lower `validate.min_class_rows`",
              _BETWEEN, {"column": "rows", "min_value": params.min_class_rows}),
        Check("class_share", "Share of train rows with each label", "warning", "classes",
              f"at least {params.min_class_share:g}",
              "add rows of these labels, or lower `validate.min_class_share`",
              _BETWEEN, {"column": "share", "min_value": params.min_class_share}),
        Check("majority_share", "No label on nearly every train row", "warning", "classes",
              f"at most {params.max_majority_share:g}",
              "add rows without these labels, take the labels out, or raise `validate.max_majority_share`",
              _BETWEEN, {"column": "share", "max_value": params.max_majority_share}),
        *list_share_checks(params),
        *list_change_checks(params),
        *list_drift_checks(params),
    ]  # fmt: skip


CHECKS = Checks(
    columns=lambda _: LABEL_SET_COLUMNS, profile=_profile, measure=measure_examples, frames=_frames, suite=_list_checks
)
