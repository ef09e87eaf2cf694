"""The document of one task: its metrics and verdict, the notes to read first, and every detail."""

from pipeline.core.errors import DataError
from pipeline.core.format import count, plural, shorten, visible
from pipeline.diff.breakdown import Breakdown
from pipeline.diff.changes import compare_findings, compare_rows, learning_curve, parse_rows
from pipeline.diff.document import MOST_NOTES, Curves, RowChanges, SharedRows, TaskDifference
from pipeline.diff.evidence import Measurement
from pipeline.diff.gates import GateVerdict
from pipeline.diff.shared_examples import Match
from pipeline.diff.snapshot import Rules, TaskSnapshot
from pipeline.evaluate.kind import Measures

LONGEST_NOTE = 500


def describe_task(
    rules: Rules,
    base: TaskSnapshot,
    head: TaskSnapshot,
    match: Match,
    measurement: Measurement,
    verdict: GateVerdict,
    breakdown: Breakdown,
) -> TaskDifference:
    """Return the document of a task from the results of all steps before."""
    rows, row_notes = _compare_rows(rules.measures, base, head)
    notes = [*_list_notes(base, head, match, measurement), *breakdown.notes, *row_notes]
    histories = (base.history, head.history)
    return TaskDifference(
        task=rules.params.task,
        state="removed" if not head.listed else "kept" if base.listed else "new",
        outcome=verdict.outcome,
        paired=bool(measurement.spreads),
        notes=tuple(shorten(visible(note), LONGEST_NOTE) for note in notes[:MOST_NOTES]),
        metrics=tuple(measurement.metrics.values()),
        gates=verdict.judgements,
        test=match.rows,
        flips=breakdown.flips,
        groups=breakdown.groups,
        rows=tuple(rows),
        findings=tuple(compare_findings(base.findings, head.findings)) if base.findings and head.findings else (),
        curves=tuple(
            Curves(calibration=bins, learning=learning_curve(history))
            for bins, history in zip(breakdown.calibration, histories, strict=True)
        ),
    )


def _list_notes(base: TaskSnapshot, head: TaskSnapshot, match: Match, measurement: Measurement) -> list[str]:
    """Return what must be known before any number is read, the most important first."""
    notes = [f"Not judged: {measurement.stale}."] if measurement.stale else []
    notes += [f"The head's {measurement.doubt}."] if measurement.doubt else []
    if not head.listed:
        return [*notes, "The head has no such task."]
    faults = [*_list_faults("base", base, match.faults[0]), *_list_faults("head", head, match.faults[1])]
    if not base.listed:
        return [*notes, "The task is new: there is nothing to compare it with.", *faults]
    if match.rows:
        notes += _note_test_set(match.rows, paired=bool(measurement.spreads))
    notes += [*measurement.recomputed, *faults]
    if match.base and match.head and match.base.labels != match.head.labels:
        notes.append("The classes changed.")
    if base.metrics is not None and head.metrics is not None and not match.rows:
        notes.append("Not paired: only the committed metrics are available, so no drop can be told from chance.")
    return notes


def _list_faults(title: str, side: TaskSnapshot, unusable: str | None) -> list[str]:
    faults = side.faults if unusable is None else (*side.faults, unusable)
    return [f"The {title} has {fault}." for fault in faults] if side.listed else []


def _note_test_set(rows: SharedRows, *, paired: bool) -> list[str]:
    """Return how the test set changed, if it did."""
    if rows.base == rows.head == rows.common and not rows.relabelled:
        return []
    relabelled = f", {count(rows.relabelled)} of them relabelled" if rows.relabelled else ""
    scope = (
        "The metrics cover the rows in both, with the head's labels." if paired else "The metrics cannot be compared."
    )
    return [
        f"The test set changed: {plural(rows.base, 'row')} in the base, {count(rows.head)} in the head, "
        f"{count(rows.common)} in both{relabelled}. {scope}"
    ]


def _compare_rows(measures: Measures, base: TaskSnapshot, head: TaskSnapshot) -> tuple[list[RowChanges], list[str]]:
    """Return how the examples differ, or the notes that say why they cannot be compared."""
    if base.examples is None or head.examples is None:
        return [], []
    sides, notes = [], []
    for title, examples in (("base", base.examples), ("head", head.examples)):
        try:
            sides.append(parse_rows(measures, examples))
        except DataError as error:
            notes.append(f"The {title} has no usable examples: {str(error).removesuffix('.')}.")
    return ([], notes) if notes else (compare_rows(*sides), [])
