"""The breakdown of a change: flipped examples, classes, slices, and calibration."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import PipelineError
from pipeline.diff.changes import sanitize
from pipeline.diff.document import MOST_EXAMPLES, MOST_ROWS, Bin, Example, Flips, Group
from pipeline.diff.shared_examples import CommonExamples, Match, Predictions
from pipeline.evaluate.align import select_split
from pipeline.evaluate.kind import Measures, Right, select_rows
from pipeline.evaluate.metrics import Ints
from pipeline.evaluate.paired import ScoredPair, adjust_p_values, flip_test
from pipeline.evaluate.slices import Slice
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


def break_down(measures: Measures, params: EvaluateParams, match: Match, examples: pa.Table | None) -> Breakdown:
    """Return where the change helps and where it hurts; `examples` holds the contents of the examples."""
    bins = _calibration_bins(measures, params, match.base), _calibration_bins(measures, params, match.head)
    common, right = match.common, measures.right
    if common is None or right is None:
        return Breakdown(None, (), bins, ())
    slices, notes = _list_slices(measures, params, common, examples)
    kinds = dict.fromkeys(part.slice for part in slices)
    families = [measures.groups(common.head), *([part for part in slices if part.slice == kind] for kind in kinds)]
    most = MOST_ROWS // len(families)
    groups = [group for family in families for group in compare_slices(right, common.pair, family, most=most)]
    return Breakdown(find_flips(measures, right, common, _source_lines(examples)), tuple(groups), bins, notes)


def find_flips(measures: Measures, right: Right, common: CommonExamples, lines: Mapping[str, Place]) -> Flips:
    """Return how many examples the change fixes and breaks, and the most confident errors among them.

    `lines` maps ids to their places; an id may be missing.
    """
    base, head, units = common.pair
    test, (before, after) = flip_test(right, common.pair), (right.rows(side) for side in (base, head))
    fixed, broken = np.flatnonzero(after & ~before), np.flatnonzero(before & ~after)
    first = [rows[np.argsort(-right.confidence(side)[rows], kind="stable")][:MOST_EXAMPLES]
             for side, rows in ((base, fixed), (head, broken))]  # fmt: skip
    return Flips(
        fixed=len(fixed),
        broken=len(broken),
        p_value=test.p_value if units is None else None,
        mid_p=test.mid_p if units is None else None,
        fixed_examples=_list_examples(measures, common, first[0], lines),
        broken_examples=_list_examples(measures, common, first[1], lines),
    )


def list_slices(measures: Measures, params: EvaluateParams, common: CommonExamples, table: pa.Table) -> list[Slice]:
    """Return the common examples of each slice that has enough; `table` holds the contents of all of them.

    Raises:
        DataError: The table has no test row, or an older version wrote it.
        KeyError: The table lacks an example.
        UsageError: A slice is by a column that the table lacks.
    """
    test = select_split(table, "test")
    places = {key: place for place, key in enumerate(test["id"].to_pylist())}
    return measures.slices(test.take([places[key] for key in common.ids]), params)


def compare_slices(right: Right, pair: ScoredPair, slices: Sequence[Slice], *, most: int) -> list[Group]:
    """Return what changed in each slice of one kind, in order; only the `most` with most flips if there are more.

    The p values are adjusted for the number of slices: among many, some differ by chance.
    """
    pairs = [ScoredPair(select_rows(pair.base, part.rows), select_rows(pair.head, part.rows)) for part in slices]
    tests = [flip_test(right, part) for part in pairs]
    adjusted = adjust_p_values([test.p_value for test in tests])
    groups = [
        Group(
            kind=sanitize(part.slice),
            value=sanitize(part.value),
            rows=len(part.rows),
            base=float(right.rows(own.base).mean()),
            head=float(right.rows(own.head).mean()),
            fixed=test.model_only,
            broken=test.baseline_only,
            p_value=p_value if pair.units is None else None,
        )
        for part, own, test, p_value in zip(slices, pairs, tests, adjusted, strict=True)
    ]
    kept = sorted(range(len(groups)), key=lambda at: -groups[at].fixed - groups[at].broken)[:most]
    return [groups[at] for at in sorted(kept)]


def _list_slices(
    measures: Measures, params: EvaluateParams, common: CommonExamples, examples: pa.Table | None
) -> tuple[list[Slice], tuple[str, ...]]:
    """Return the slices, or the note that says why there are none."""
    if examples is None:
        return [], ("No slices: the examples are missing.",)
    try:
        return list_slices(measures, params, common, examples), ()
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


def _list_examples(
    measures: Measures, common: CommonExamples, rows: Ints, lines: Mapping[str, Place]
) -> tuple[Example, ...]:
    """Return the examples at the positions `rows`, as the document has them."""
    base, head = common.base.take(rows), common.head.take(rows)
    words = zip(
        head["id"].to_pylist(), measures.truths(head), measures.answers(base), measures.answers(head), strict=True
    )
    return tuple(
        Example(
            id=sanitize(key),
            line=sanitize(line) if isinstance(line := lines.get(key), str) else line,
            label=sanitize(truth),
            base=sanitize(old),
            head=sanitize(new),
        )
        for key, truth, old, new in words
    )


def _calibration_bins(measures: Measures, params: EvaluateParams, predictions: Predictions | None) -> tuple[Bin, ...]:
    """Return the calibration bins that hold an example, empty if the kind has no such curve."""
    if predictions is None or measures.curve is None:
        return ()
    return tuple(
        Bin(low=row["low"], count=row["count"], confidence=min(1.0, row["confidence"]), right=row["accuracy"])
        for row in measures.curve(predictions.scored, params)
    )
