"""Checks of text regression: of texts, of their numbers, and of both against a reference."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.drift import profile_split
from pipeline.checks.measures import (
    MOST_LINES,
    Checks,
    Measure,
    count_split_rows,
    mark_leaks,
    measure_examples,
    tabulate_measures,
)
from pipeline.checks.suite import (
    Check,
    bound_measure,
    list_change_checks,
    list_drift_checks,
    list_pair_checks,
    list_row_checks,
    list_share_checks,
    list_split_checks,
    list_text_checks,
    name_columns,
)
from pipeline.core.document import Document
from pipeline.examples.pairs import whole_texts
from pipeline.examples.records import places_of
from pipeline.settings.shared.texts import PAIR, DriftChecksParams, PairChecksParams

NUMBER_COLUMNS = {"id": "string", "split": "string", "text": "string", "label": "double", "row": "int64"}
FAR = 10  # interquartile ranges from the median: no real number is there, but one without its decimal point


def _bin(number: float | None) -> str | None:
    """Return the name of the half octave of a number, by which the numbers of two data sets are compared."""
    if number is None or not math.isfinite(number) or number == 0:
        return "0" if number == 0 else None
    low = math.floor(2 * math.log2(abs(number)))
    return f"{'-' if number < 0 else ''}{2 ** (low / 2):.3g}"


def _profile(table: pa.Table) -> Document:
    """Return the profile of the train rows, the shares of the half octaves of their numbers among it."""
    train = table.filter(pc.equal(table["split"], "train"))
    names = [_bin(number) for number in train["label"].to_pylist()]
    return profile_split(whole_texts(train), names, sorted({name for name in names if name is not None}))


def _measure(
    table: pa.Table, intake: Mapping[str, Any], params: DriftChecksParams, present: Document
) -> dict[str, Measure]:
    """Return the numbers of all kinds of texts, and the share of examples whose number is far from all others."""
    numbers = table["label"].to_numpy(zero_copy_only=False).astype(np.float64)
    low, middle, high = np.nanquantile(numbers, (0.25, 0.5, 0.75))
    far = np.flatnonzero(np.abs(numbers - middle) > FAR * (high - low)) if high > low else np.array([], np.int64)
    lines = [place for place in places_of(table.take(pa.array(far[:MOST_LINES]))) if place is not None]
    measures = measure_examples(table, intake, params, present)
    return {**measures, "far_share": Measure(len(far) / max(len(numbers), 1), len(far), tuple(lines))}


def _frame(table: pa.Table, _present: Document, measures: Mapping[str, Measure]) -> dict[str, pa.Table]:
    columns = [name for name in (*NUMBER_COLUMNS, PAIR, "file") if name in table.column_names]
    known = pc.fill_null(pc.is_finite(table["label"]), fill_value=False)
    examples = table.select(columns).append_column("leaked", pa.array(mark_leaks(table), pa.bool_()))
    return {
        "examples": examples.append_column("known", known),
        "splits": count_split_rows(table),
        "measures": tabulate_measures(measures),
    }


def _list_checks(params: PairChecksParams, _labels: Sequence[str]) -> list[Check]:
    return [
        *list_row_checks(name_columns(params, NUMBER_COLUMNS)),
        Check("label_known", "Numbers finite", "critical", "examples", "a finite number",
              "run `dvc repro` to create the examples again",
              "expect_column_values_to_be_in_set", {"column": "known", "value_set": [True]}),
        *list_text_checks(params),
        *(list_pair_checks(params) if params.pairs else ()),
        *list_split_checks(params),
        bound_measure("far_share", f"No number beyond {FAR} interquartile ranges from the median", "warning", 0.0,
                      "correct the numbers, or take the rows out: a few such numbers decide a squared error"),
        *list_share_checks(params),
        *list_change_checks(params),
        *list_drift_checks(params),
    ]  # fmt: skip


CHECKS = Checks(
    columns=lambda params: name_columns(params, NUMBER_COLUMNS),
    profile=_profile,
    measure=_measure,
    frames=_frame,
    suite=_list_checks,
)
