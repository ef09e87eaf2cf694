"""The examples that the predictions of two revisions have in common."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import DataError, listed
from pipeline.core.tables import labels_of
from pipeline.diff.document import SharedRows
from pipeline.evaluate.kind import Measures, index_units
from pipeline.evaluate.paired import ScoredPair
from pipeline.settings.task import EvaluateParams


class Predictions(NamedTuple):
    """The predictions of a model for N test examples, as a table and scored by their own truths."""

    ids: pa.Array
    labels: tuple[str, ...]
    table: pa.Table
    scored: Any


class CommonExamples(NamedTuple):
    """The common examples in the order of the head; `relabelled` of them have another truth in the base.

    Both models are judged by the head's truths: a label that was corrected is the truth for the old model too. `base`
    and `head` are their predictions.
    """

    pair: ScoredPair
    ids: list[str]
    relabelled: int
    base: pa.Table
    head: pa.Table


class Match(NamedTuple):
    """The predictions of both revisions and the examples that both predict.

    A side is None without usable predictions; `faults` say why a table is unusable, each the rest of "The base has
    ...". `rows` is None unless both sides are there; `common` is None if they share no example.
    """

    base: Predictions | None
    head: Predictions | None
    faults: tuple[str | None, str | None]
    rows: SharedRows | None
    common: CommonExamples | None


def match_predictions(
    measures: Measures, params: EvaluateParams, base: pa.Table | None, head: pa.Table | None
) -> Match:
    """Return the predictions of both revisions, matched by the ids of the examples."""
    (old, old_fault), (new, new_fault) = (_try_parse(measures, params, table) for table in (base, head))
    if old is None or new is None:
        return Match(old, new, (old_fault, new_fault), None, None)
    common = find_common_examples(measures, params, old, new)
    rows = SharedRows(
        base=len(old.ids),
        head=len(new.ids),
        common=len(common.ids) if common else 0,
        relabelled=common.relabelled if common else 0,
    )
    return Match(old, new, (None, None), rows, common)


def parse_predictions(measures: Measures, params: EvaluateParams, table: pa.Table) -> Predictions:
    """Return the predictions of a table that `evaluate` wrote, scored.

    Raises:
        DataError: It is not such a table, an older version wrote it, an id occurs twice, or a row has no valid answer.
    """
    try:
        labels, ids = labels_of(table), table["id"].combine_chunks()
        scored = measures.score_rows(table, table, params)
    except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise DataError(f"`evaluate` does not write such a table ({error!r})") from error
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(pc.struct_field(counts, "counts"), 1))
    if len(repeated):
        raise DataError(f"duplicate ids: {listed(pc.struct_field(repeated, 'values').to_pylist())}")
    return Predictions(ids, labels, table, scored)


def find_common_examples(
    measures: Measures, params: EvaluateParams, base: Predictions, head: Predictions
) -> CommonExamples | None:
    """Return the examples that both predict, found by their ids; None if there is none."""
    places = pc.index_in(head.ids, base.ids)
    head_rows = np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False))
    if not len(head_rows):
        return None
    old, new = base.table.take(places.drop_null()), head.table.take(pa.array(head_rows))
    pair = ScoredPair(
        base=measures.score_rows(new, old, params),
        head=measures.score_rows(new, new, params),
        units=index_units(measures, new),
    )
    relabelled = sum(before != after for before, after in zip(*map(measures.truths, (old, new)), strict=True))
    return CommonExamples(pair, new["id"].to_pylist(), relabelled, old, new)


def _try_parse(
    measures: Measures, params: EvaluateParams, table: pa.Table | None
) -> tuple[Predictions | None, str | None]:
    """Return the predictions, or the fault of the table."""
    try:
        return None if table is None else parse_predictions(measures, params, table), None
    except DataError as error:
        return None, f"no usable predictions: {str(error).removesuffix('.')}"
