"""Checks of text regression: of texts, of their numbers, and of both against a reference."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.chunks import Chunks, select_train
from pipeline.checks.columns import name_columns
from pipeline.checks.drift import profile_chunks
from pipeline.checks.measure import Measure
from pipeline.checks.measures import Checks, count_split_rows, measure_examples
from pipeline.checks.pairs import join_pairs
from pipeline.checks.rows import RowTest, count_failures, is_marked
from pipeline.checks.suite import (
    Check,
    bound_measure,
    check_rows,
    list_change_checks,
    list_drift_checks,
    list_pair_checks,
    list_row_checks,
    list_share_checks,
    list_split_checks,
    list_text_checks,
)
from pipeline.core.document import Document
from pipeline.settings.shared.texts import DriftChecksParams, PairChecksParams

NUMBER_COLUMNS = {"id": "string", "split": "string", "text": "string", "label": "double", "row": "int64"}
FAR = 10  # interquartile ranges from the median: no real number is there, but one without its decimal point


def _bin(number: float | None) -> str | None:
    """Return the name of the half octave of a number, by which the numbers of two data sets are compared."""
    if number is None or not math.isfinite(number) or number == 0:
        return "0" if number == 0 else None
    low = math.floor(2 * math.log2(abs(number)))
    return f"{'-' if number < 0 else ''}{2 ** (low / 2):.3g}"


def _profile(chunks: Chunks) -> Document:
    """Return the profile of the train rows, the shares of the half octaves of their numbers among it."""
    train = select_train(chunks)
    names = {_bin(number) for number in train.values("label")}

    def read(chunk: pa.Table) -> tuple[list[str | None], list[str | None]]:
        return chunk["text"].to_pylist(), [_bin(number) for number in chunk["label"].to_pylist()]

    return profile_chunks(
        join_pairs(train), ("text", "label"), read, sorted(name for name in names if name is not None)
    )


def _measure(
    chunks: Chunks, intake: Mapping[str, Any], params: DriftChecksParams, present: Document
) -> dict[str, Measure]:
    """Return the numbers of all kinds of texts, and the share of examples whose number is far from all others."""
    columns = [chunk["label"].to_numpy() for chunk in chunks.read("label")]
    numbers = np.concatenate([np.empty(0), *columns]).astype(np.float64)
    low, middle, high = np.nanquantile(numbers, (0.25, 0.5, 0.75))
    far = np.flatnonzero(np.abs(numbers - middle) > FAR * (high - low)) if high > low else np.array([], np.int64)
    lines = count_failures(chunks.mark("far", far), {"far": is_marked("far")})["far"].lines
    measures = measure_examples(chunks, intake, params, present)
    return {**measures, "far_share": Measure(len(far) / max(len(numbers), 1), len(far), lines)}


def _frames(chunks: Chunks, _present: Document) -> dict[str, pa.Table]:
    return {"splits": count_split_rows(chunks)}


def _is_no_number(chunk: pa.Table) -> pa.Array:
    return pc.invert(pc.fill_null(pc.is_finite(chunk["label"]), fill_value=False))


def _list_checks(params: PairChecksParams, _labels: Sequence[str]) -> list[Check]:
    return [
        *list_row_checks(name_columns(params, NUMBER_COLUMNS)),
        check_rows("label_known", "Numbers finite", "a finite number", "run `dvc repro` to create the examples again",
                   RowTest(("label",), _is_no_number)),
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
    frames=_frames,
    suite=_list_checks,
)
