"""Checks of multi-label classification: of texts, of the rows of each label, and of both against a reference."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.drift import profile_split
from pipeline.checks.measures import (
    Checks,
    Measure,
    count_split_rows,
    mark_leaks,
    measure_examples,
    tabulate_measures,
)
from pipeline.checks.suite import (
    Check,
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


def _profile(table: pa.Table) -> Document:
    """Return the profile of the train rows: the share of a label is that of all labels that are given."""
    labels, train = labels_of(table), table.filter(pc.equal(table["split"], "train"))
    counts = Counter(pc.list_flatten(train["labels"]).to_pylist())
    total = sum(counts.values())
    lengths = profile_split(train["text"].to_pylist(), [None] * train.num_rows, labels)
    return {**lengths, "label_shares": {name: counts[at] / max(total, 1) for at, name in enumerate(labels)}}


def _frame(table: pa.Table, _present: Mapping[str, Any], measures: Mapping[str, Measure]) -> dict[str, pa.Table]:
    """Return the frames; the share of a label in `classes` is that of the train rows that have it."""
    names = labels_of(table)
    train = table.filter(pc.fill_null(pc.equal(table["split"], "train"), fill_value=False))
    counts = Counter(pc.list_flatten(train["labels"]).to_pylist())
    rows = [counts[at] for at in range(len(names))]
    columns = [name for name in (*LABEL_SET_COLUMNS, "file") if name in table.column_names]
    known = [
        values is not None and all(0 <= at < len(names) for at in values) for values in table["labels"].to_pylist()
    ]
    examples = table.select(columns).append_column("leaked", pa.array(mark_leaks(table), pa.bool_()))
    return {
        "examples": examples.append_column("known", pa.array(known, pa.bool_())),
        "splits": count_split_rows(table),
        "classes": pa.table(
            {
                "name": names,
                "rows": pa.array(rows, pa.int64()),
                "share": pa.array([count / max(train.num_rows, 1) for count in rows], pa.float64()),
            }
        ),
        "measures": tabulate_measures(measures),
    }


def _list_checks(params: LabelledTextChecksParams, labels: Sequence[str]) -> list[Check]:
    return [
        *list_row_checks(LABEL_SET_COLUMNS),
        Check("label_known", "Labels known", "critical", "examples", f"class indices from 0 to {len(labels) - 1}",
              "run `dvc repro` to create the examples again",
              "expect_column_values_to_be_in_set", {"column": "known", "value_set": [True]}),
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
    columns=lambda _: LABEL_SET_COLUMNS, profile=_profile, measure=measure_examples, frames=_frame, suite=_list_checks
)
