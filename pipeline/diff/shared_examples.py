"""The examples that the predictions of two revisions have in common."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import DataError, listed
from pipeline.core.tables import class_indices, labels_of
from pipeline.diff.changes import require_class_indices
from pipeline.diff.document import SharedRows
from pipeline.evaluate.metrics import Floats, Ints, Scored, score_predictions
from pipeline.evaluate.paired import ScoredPair


class Predictions(NamedTuple):
    """The answers of a model to N test examples: `probabilities` is (N, C), and `scored` holds the actual classes."""

    ids: pa.Array
    labels: tuple[str, ...]
    probabilities: Floats
    scored: Scored


class CommonExamples(NamedTuple):
    """The common examples in the order of the head; `relabelled` of them have another class in the base.

    Both models are judged by the head's classes: a label that was corrected is the truth for the old model too.
    `labels` are the head's classes, then those only the base has.
    """

    pair: ScoredPair
    labels: tuple[str, ...]
    ids: list[str]
    relabelled: int


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


def match_predictions(base: pa.Table | None, head: pa.Table | None, *, bins: int) -> Match:
    """Return the predictions of both revisions, matched by the ids of the examples."""
    (old, old_fault), (new, new_fault) = _try_parse(base, bins), _try_parse(head, bins)
    if old is None or new is None:
        return Match(old, new, (old_fault, new_fault), None, None)
    common = find_common_examples(old, new, bins=bins)
    rows = SharedRows(
        base=len(old.ids),
        head=len(new.ids),
        common=len(common.ids) if common else 0,
        relabelled=common.relabelled if common else 0,
    )
    return Match(old, new, (None, None), rows, common)


def parse_predictions(table: pa.Table, *, bins: int) -> Predictions:
    """Return the predictions of a table that `evaluate` wrote, scored with `bins` calibration bins.

    Raises:
        DataError: It is not such a table, an older version wrote it, an id occurs twice, or a row is no distribution.
    """
    try:
        require_class_indices(table)
        labels, ids, actual = labels_of(table), table["id"].combine_chunks(), class_indices(table)
        flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        probabilities = flat.reshape(len(ids), len(labels)).astype(np.float64)
    except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise DataError(f"`evaluate` does not write such a table ({error!r})") from error
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(pc.struct_field(counts, "counts"), 1))
    if len(repeated):
        raise DataError(f"duplicate ids: {listed(pc.struct_field(repeated, 'values').to_pylist())}")
    return Predictions(ids, labels, probabilities, score_predictions(actual, probabilities, bins=bins))


def find_common_examples(base: Predictions, head: Predictions, *, bins: int) -> CommonExamples | None:
    """Return the examples that both predict, found by their ids; None if there is none."""
    places = pc.index_in(head.ids, base.ids)
    head_rows = np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False))
    if not len(head_rows):
        return None
    base_rows = np.asarray(places.drop_null().to_numpy(), dtype=np.int64)
    labels = (*head.labels, *(label for label in base.labels if label not in head.labels))
    actual = head.scored.actual[head_rows]
    before = np.array([labels.index(label) for label in base.labels])[base.scored.actual[base_rows]]
    pair = ScoredPair(
        base=score_predictions(actual, _widen(base, labels, base_rows), bins=bins),
        head=score_predictions(actual, _widen(head, labels, head_rows), bins=bins),
    )
    return CommonExamples(pair, labels, head.ids.take(pa.array(head_rows)).to_pylist(), int((before != actual).sum()))


def _try_parse(table: pa.Table | None, bins: int) -> tuple[Predictions | None, str | None]:
    """Return the predictions, or the fault of the table."""
    try:
        return None if table is None else parse_predictions(table, bins=bins), None
    except DataError as error:
        return None, f"no usable predictions: {str(error).removesuffix('.')}"


def _widen(predictions: Predictions, labels: tuple[str, ...], rows: Ints) -> Floats:
    """Return the probabilities of some rows, (len(rows), len(labels)); 0 for a class that the model does not know."""
    if predictions.labels == labels:
        return predictions.probabilities[rows]
    wide = np.zeros((len(rows), len(labels)))
    wide[:, [labels.index(label) for label in predictions.labels]] = predictions.probabilities[rows]
    return wide
