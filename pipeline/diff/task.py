"""One task in two revisions: what both hold of it, compared, said in words, and judged by its gates."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import PipelineError
from pipeline.core.format import count, plural, shorten, visible
from pipeline.diff.breakdown import Part, class_parts, flips, groups, slice_parts
from pipeline.diff.changes import curves, findings_changes, row_changes
from pipeline.diff.common import Matched
from pipeline.diff.document import Group, RowChanges, SharedRows, TaskDifference, worst
from pipeline.diff.evidence import Models, TaskSide, disbelief, metrics, models, number, score
from pipeline.diff.gates import judge
from pipeline.settings.task import EvaluateParams, Gates

LONGEST, MOST_NOTES = 500, 20


def contrast(params: EvaluateParams, gates: Gates, base: TaskSide, head: TaskSide) -> TaskDifference:
    """Return all that differs in a task, with the verdict of its gates."""
    found = models(params, base, head)
    table, wrong = metrics(base, head, found), disbelief(params, head, found.head)
    spreads = {name: one.spread for name, one in found.shown.items()}
    judged = judge(gates, table, spreads=spreads, missing=_missing(base, found)) if head.listed else []
    if wrong:
        judged = [one.model_copy(update={"outcome": "failed", "reason": f"the head's {wrong}"}) for one in judged]
    texts = next((side.examples for side in (head, base) if side.examples is not None), None)
    parts, unsliced = _groups(params, found.common, texts)
    notes = [*([f"The head's {wrong}."] if wrong else []), *_said(base, head, found), *unsliced]
    return TaskDifference(
        task=params.task,
        state="removed" if not head.listed else "kept" if base.listed else "new",
        outcome="failed" if wrong and head.listed else worst(tuple(one.outcome for one in judged)),
        paired=bool(found.shown),
        notes=tuple(shorten(visible(note), LONGEST) for note in notes[:MOST_NOTES]),
        metrics=tuple(table.values()),
        gates=tuple(judged),
        test=_test_rows(found),
        flips=flips(found.common, _lines(texts)) if found.common else None,
        groups=tuple(parts),
        rows=tuple(_rows(base, head)),
        findings=tuple(findings_changes(base.findings, head.findings)) if base.findings and head.findings else (),
        curves=tuple(
            curves(side.history, score(params, one), bins=params.bins)
            for side, one in ((base, found.base), (head, found.head))
        ),
    )


# ------------------------------------------------------------------------------------------------ words
def _missing(base: TaskSide, found: Models) -> str:
    """Return why a metric of the base may have nothing to be compared with."""
    if not base.listed:
        return "the task is new"
    if found.base and found.head and not found.shown:
        left = len(found.common.ids) if found.common else 0
        return f"of the {plural(len(found.base.ids), 'test example')} of the base, {count(left)} are left"
    if number(base.metrics, "accuracy") is None:
        return "the base has no metrics of the task"
    return "the test examples may be others, and the predictions that would tell are not there"


def _said(base: TaskSide, head: TaskSide, found: Models) -> list[str]:
    """Return what must be known before any number is read, the weightiest first."""
    if not head.listed:
        return ["The head has no such task."]
    faults = [
        *(f"The base has {one}." for one in (*base.faults, *filter(None, found.faults[:1])) if base.listed),
        *(f"The head has {one}." for one in (*head.faults, *filter(None, found.faults[1:]))),
    ]
    if not base.listed:
        return ["The task is new: there is nothing to compare it with.", *faults]
    said = [*_test_set(found), *faults]
    if found.base and found.head and found.base.labels != found.head.labels:
        said.append("The classes changed.")
    if base.metrics is not None and head.metrics is not None and not (found.base and found.head):
        said.append("Not paired: judged by the committed metrics alone, so that no drop can be told from chance.")
    return said


def _test_set(found: Models) -> list[str]:
    """Return how the test set changed, if it did."""
    rows = _test_rows(found)
    if rows is None or (rows.base == rows.head == rows.common and not rows.relabelled):
        return []
    others = f", {plural(rows.relabelled, 'row')} of them in another class" if rows.relabelled else ""
    told = "The numbers are of those in both, by the head's classes."
    return [
        f"The test set changed: {plural(rows.base, 'row')} in the base, {count(rows.head)} in the head, "
        f"{count(rows.common)} in both{others}. {told if found.shown else 'The numbers do not compare.'}"
    ]


# ------------------------------------------------------------------------------------------------ details
def _test_rows(found: Models) -> SharedRows | None:
    if not (found.base and found.head):
        return None
    return SharedRows(
        base=len(found.base.ids),
        head=len(found.head.ids),
        common=len(found.common.ids) if found.common else 0,
        relabelled=found.common.relabelled if found.common else 0,
    )


def _groups(
    params: EvaluateParams, common: Matched | None, texts: pa.Table | None
) -> tuple[list[Group], tuple[str, ...]]:
    """Return the classes and slices of the common examples, and why there are no slices."""
    if common is None:
        return [], ()
    found = groups(common.pair, class_parts(common))
    if texts is None:
        return found, ("No slices: the examples are not there.",)
    try:
        parts = slice_parts(common, texts, params)
    except (KeyError, PipelineError):
        return found, ("No slices: the examples are not those of the predictions.",)
    return found + [one for kind in _kinds(parts) for one in groups(common.pair, kind)], ()


def _kinds(parts: list[Part]) -> list[list[Part]]:
    return [[part for part in parts if part.kind == kind] for kind in dict.fromkeys(part.kind for part in parts)]


def _rows(base: TaskSide, head: TaskSide) -> list[RowChanges]:
    if base.examples is None or head.examples is None:
        return []
    try:
        return row_changes(base.examples, head.examples)
    except PipelineError:  # the examples of an older version; the notes say that nothing is paired
        return []


def _lines(texts: pa.Table | None) -> dict[str, int]:
    """Return the source line of each test example."""
    if texts is None or "row" not in texts.column_names:
        return {}
    rows = texts.filter(pc.equal(texts["split"], "test")).select(["id", "row"]).drop_null()
    return dict(zip(rows["id"].to_pylist(), rows["row"].to_pylist(), strict=True))
