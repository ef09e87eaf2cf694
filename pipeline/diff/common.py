"""The examples that two revisions have in common, as they stand in their predictions."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import DataError, listed
from pipeline.core.tables import class_indices, labels_of
from pipeline.evaluate.metrics import Floats, Ints, scored
from pipeline.evaluate.paired import Pair


class Predictions(NamedTuple):
    """What a model says about N test examples: `actual` (N,) are class indices, `probabilities` is (N, C)."""

    ids: pa.Array
    labels: tuple[str, ...]
    actual: Ints
    probabilities: Floats


class Matched(NamedTuple):
    """The common examples in the order of the head, and how many have another class there than in the base.

    Both models are judged by the head's classes: a label that was corrected is the truth for the old model too.
    `labels` are the head's classes, then those only the base has.
    """

    pair: Pair
    labels: tuple[str, ...]
    ids: list[str]
    relabelled: int


def predictions(table: pa.Table) -> Predictions:
    """Return the predictions of a file that `evaluate` wrote.

    Raises:
        DataError: It is not such a file, repeats an id, or holds what is no distribution.
    """
    try:
        labels, ids = labels_of(table), table["id"].combine_chunks()
        actual = class_indices(table)
        flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        probabilities = flat.reshape(len(ids), len(labels)).astype(np.float64)
    except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise DataError(f"the predictions are not what `evaluate` writes ({error!r})") from error
    found = Predictions(ids, labels, actual, probabilities)
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(pc.struct_field(counts, "counts"), 1))
    if len(repeated):
        raise DataError(f"the predictions repeat the ids {listed(pc.struct_field(repeated, 'values').to_pylist())}")
    scored(found.actual, found.probabilities, bins=2)  # refuses what is no distribution
    return found


def matched(base: Predictions, head: Predictions, *, bins: int) -> Matched | None:
    """Return the examples that both predict, found by their ids; None where there is none."""
    found = pc.index_in(head.ids, base.ids)
    head_rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
    if not len(head_rows):
        return None
    base_rows = np.asarray(found.drop_null().to_numpy(), dtype=np.int64)
    labels = (*head.labels, *(label for label in base.labels if label not in head.labels))
    actual = head.actual[head_rows]
    before = np.array([labels.index(label) for label in base.labels])[base.actual[base_rows]]
    pair = Pair(
        *(scored(actual, _among(labels, one, rows), bins=bins) for one, rows in ((base, base_rows), (head, head_rows)))
    )
    return Matched(pair, labels, head.ids.take(pa.array(head_rows)).to_pylist(), int((before != actual).sum()))


def _among(labels: tuple[str, ...], one: Predictions, rows: Ints) -> Floats:
    """Return the probabilities of some rows, (N, len(labels)); a class the model does not know has none."""
    if one.labels == labels:
        return one.probabilities[rows]
    wide = np.zeros((len(rows), len(labels)))
    wide[:, [labels.index(label) for label in one.labels]] = one.probabilities[rows]
    return wide
