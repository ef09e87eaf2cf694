"""The breakdown of a change: flipped examples, classes, slices, and calibration."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.document import Document
from pipeline.core.errors import PipelineError
from pipeline.diff.changes import sanitize
from pipeline.diff.document import MOST_EXAMPLES, MOST_ROWS, Bin, Example, Flips, Group
from pipeline.diff.shared_examples import CommonExamples, Match, Predictions
from pipeline.evaluate.align import select_test_rows
from pipeline.evaluate.metrics import Ints, calibration, select_rows
from pipeline.evaluate.paired import ScoredPair, adjust_p_values, flip_test
from pipeline.evaluate.slices import Slice, slice_by_column, slice_by_length
from pipeline.examples.records import Place, places_of
from pipeline.settings.task import EvaluateParams


class Breakdown(NamedTuple):
    """The details behind the metrics.

    `flips` is None and `groups` is empty without common examples; `calibration` is that of the base and of the head,
    empty without predictions; `notes` say why there are no slices.
    """

    flips: Flips | None
    groups: tuple[Group, ...]
    calibration: tuple[tuple[Bin, ...], tuple[Bin, ...]]
    notes: tuple[str, ...]


def break_down(params: EvaluateParams, match: Match, examples: pa.Table | None) -> Breakdown:
    """Return where the change helps and where it hurts; `examples` holds the texts of the examples."""
    bins = _calibration_bins(match.base, params.bins), _calibration_bins(match.head, params.bins)
    common = match.common
    if common is None:
        return Breakdown(None, (), bins, ())
    slices, notes = _list_slices(params, common, examples)
    kinds = dict.fromkeys(part.slice for part in slices)
    families = [slice_by_class(common), *([part for part in slices if part.slice == kind] for kind in kinds)]
    most = MOST_ROWS // len(families)
    groups = [group for family in families for group in compare_slices(common.pair, family, most=most)]
    return Breakdown(find_flips(common, _source_lines(examples)), tuple(groups), bins, notes)


def find_flips(common: CommonExamples, lines: Mapping[str, Place]) -> Flips:
    """Return how many examples the change fixes and breaks, and the most confident errors among them.

    `lines` maps ids to their places; an id may be missing.
    """
    base, head = common.pair
    test = flip_test(common.pair)
    fixed, broken = np.flatnonzero(head.right & ~base.right), np.flatnonzero(base.right & ~head.right)
    return Flips(
        fixed=len(fixed),
        broken=len(broken),
        p_value=test.p_value,
        mid_p=test.mid_p,
        fixed_examples=_list_examples(common, fixed[np.argsort(-base.confidence[fixed], kind="stable")], lines),
        broken_examples=_list_examples(common, broken[np.argsort(-head.confidence[broken], kind="stable")], lines),
    )


def slice_by_class(common: CommonExamples) -> list[Slice]:
    """Return the common examples of each class that has any."""
    actual = common.pair.head.actual
    classes = [Slice("class", label, np.flatnonzero(actual == at)) for at, label in enumerate(common.labels)]
    return [part for part in classes if len(part.rows)]


def list_slices(common: CommonExamples, table: pa.Table, params: EvaluateParams) -> list[Slice]:
    """Return the common examples of each slice that has enough; `table` holds the texts of all of them.

    Raises:
        DataError: The table has no test row, or an older version wrote it.
        KeyError: The table lacks an example.
        UsageError: A slice is by a column that the table lacks.
    """
    rows = select_test_rows(table, params.slices)
    places = {key: place for place, key in enumerate(rows.ids)}
    order = [places[key] for key in common.ids]
    slices = slice_by_length([rows.texts[at] for at in order], params.length_edges)
    for name, values in rows.columns.items():
        slices += slice_by_column(name, [values[at] for at in order])
    return [part for part in slices if len(part.rows) >= params.min_slice_rows]


def compare_slices(pair: ScoredPair, slices: Sequence[Slice], *, most: int) -> list[Group]:
    """Return what changed in each slice of one kind, in order; only the `most` with most flips if there are more.

    The p values are adjusted for the number of slices: among many, some differ by chance.
    """
    pairs = [ScoredPair(select_rows(pair.base, part.rows), select_rows(pair.head, part.rows)) for part in slices]
    tests = [flip_test(part) for part in pairs]
    adjusted = adjust_p_values([test.p_value for test in tests])
    groups = [
        Group(
            kind=sanitize(part.slice),
            value=sanitize(part.value),
            rows=len(part.rows),
            base=float(own.base.right.mean()),
            head=float(own.head.right.mean()),
            fixed=test.model_only,
            broken=test.baseline_only,
            p_value=p_value,
        )
        for part, own, test, p_value in zip(slices, pairs, tests, adjusted, strict=True)
    ]
    kept = sorted(range(len(groups)), key=lambda at: -groups[at].fixed - groups[at].broken)[:most]
    return [groups[at] for at in sorted(kept)]


def _list_slices(
    params: EvaluateParams, common: CommonExamples, examples: pa.Table | None
) -> tuple[list[Slice], tuple[str, ...]]:
    """Return the slices, or the note that says why there are none."""
    if examples is None:
        return [], ("No slices: the examples are missing.",)
    try:
        return list_slices(common, examples, params), ()
    except KeyError:
        return [], ("No slices: the examples are not those of the predictions.",)
    except PipelineError as error:
        return [], (f"No slices: {error}",)


def _source_lines(examples: pa.Table | None) -> dict[str, Place]:
    """Return where each test example starts in its file, empty if unknown."""
    if examples is None or not {"id", "split", "row"} <= {*examples.column_names}:
        return {}
    rows = examples.filter(pc.equal(examples["split"], "test"))
    places = zip(rows["id"].to_pylist(), places_of(rows), strict=True)
    return {name: place for name, place in places if name is not None and place is not None}


def _list_examples(common: CommonExamples, order: Ints, lines: Mapping[str, Place]) -> tuple[Example, ...]:
    base, head = common.pair
    return tuple(
        Example(
            id=sanitize(common.ids[at]),
            line=sanitize(line) if isinstance(line := lines.get(common.ids[at]), str) else line,
            label=sanitize(common.labels[head.actual[at]]),
            base=sanitize(common.labels[base.predicted[at]]),
            head=sanitize(common.labels[head.predicted[at]]),
        )
        for at in order[:MOST_EXAMPLES]
    )


def _calibration_bins(predictions: Predictions | None, bins: int) -> tuple[Bin, ...]:
    """Return the calibration bins that hold an example."""
    table: Sequence[Document] = [] if predictions is None else calibration(predictions.scored, bins=bins)
    return tuple(
        Bin(low=row["low"], count=row["count"], confidence=min(1.0, row["confidence"]), right=row["accuracy"])
        for row in table
        if row["count"]
    )
