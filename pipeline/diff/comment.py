"""A difference as GitHub Markdown: a verdict, a table, and folded details; inert whatever the document says."""

from collections.abc import Iterator

from pipeline.core.format import ABSENT, count, markdown_table, percent, plural, points, points_interval, share, signed
from pipeline.diff.comment_task import DETAILS, changes_table, p_cell, task_details, words_of
from pipeline.diff.document import Change, Difference, Judgement, Metric, Outcome, Side, TaskDifference
from pipeline.diff.gates import SHARES, WORDS

MOST = 65_000  # bytes; GitHub refuses comments above 65,536 characters
MOST_TABLE_ROWS = 120
SIGNS = {"passed": "✅", "unproven": "⚠️", "failed": "❌", "unjudged": "❔"}
TITLES: dict[Outcome, str] = {
    "failed": "the change fails its gates",
    "unproven": "passed, with a drop that may be chance",
    "unjudged": "not judged in full",
    "passed": "passed",
}
REASON, NOTE = 300, 400
FOOT = f"""<sub>Differences of accuracy and macro-F1 in points. Intervals and p values compare the two models on the
same test examples: McNemar's exact test for accuracy, a paired bootstrap for the rest. {SIGNS["failed"]} a drop larger
than allowed and than chance, or a value below its floor; {SIGNS["unproven"]} larger than allowed, but it may be chance;
{SIGNS["unjudged"]} no number to judge. “sees” is the smallest true drop that the gate refuses four times out of
five.</sub>
"""


def comment(found: Difference) -> str:
    """Return the whole comment, at most `MOST` bytes: what does not fit is left out from the end, and counted."""
    blocks = [*_top(found), _table(found), *(task_details(task) for task in found.tasks), *_project(found)]
    blocks = [block for block in blocks if block]
    kept, room, lost = [], MOST - len(FOOT.encode()) - 200, found.left_out
    for block in blocks:
        if len(block.encode()) + 1 <= room:
            kept.append(block)
            room -= len(block.encode()) + 1
        else:
            lost += 1
    if lost:
        kept.append(f"{plural(lost, 'part')} did not fit here; the document (`--json`) has more.\n")
    return "\n".join([*kept, FOOT])


# ------------------------------------------------------------------------------------------------ verdict
def _top(found: Difference) -> Iterator[str]:
    """Yield the verdict, then what must be known before the numbers are read."""
    yield f"### {SIGNS[found.outcome]} Metric diff: {TITLES[found.outcome]}\n"
    yield f"{_side(found.base)} → {_side(found.head)}\n"
    gates = [gate for task in found.tasks for gate in task.gates]
    passed = sum(gate.outcome == "passed" for gate in gates)
    yield f"{count(passed)} of {plural(len(gates), 'gate')} passed.\n" if gates else "There is no gate.\n"
    for outcome in ("failed", "unproven", "unjudged"):
        for task in found.tasks:
            told = [gate for gate in task.gates if gate.outcome == outcome]
            yield from (f"- {SIGNS[outcome]} {_name(task)}: {words_of(gate.reason, REASON)}." for gate in told)
    for task in found.tasks:
        yield from (f"- {_name(task)}: {words_of(note, NOTE)}" for note in task.notes)
    moved = [one for one in found.parameters if one.name.startswith("gates.") or ".gates." in one.name]
    if moved:
        yield f"- **The gates changed** ({', '.join(words_of(one.name) for one in moved[:10])}); these are the head's."
    yield ""


def _side(side: Side) -> str:
    return f"**{words_of(side.name)}**" + (f" ({side.commit[:9]})" if side.commit else "")


def _table(found: Difference) -> str:
    """Return one row a metric, the tasks in order."""
    header = ("Task", "Metric", "Base", "Head", "Difference", f"{percent(found.confidence)} interval", "p", "Gate")
    rows = [
        _row(task, metric, next((gate for gate in task.gates if gate.metric == metric.metric), None))
        for task in found.tasks
        for metric in task.metrics
    ]
    more = len(rows) - MOST_TABLE_ROWS
    told = f"\n{plural(more, 'more row is', 'more rows are')} in the document.\n" if more > 0 else ""
    table = markdown_table(header, rows[:MOST_TABLE_ROWS], right=range(2, 7))
    return f"\n{table}{told}" if rows else "No task has a metric.\n"


def _row(task: TaskDifference, one: Metric, gate: Judgement | None) -> tuple[str, ...]:
    return (
        _name(task),
        WORDS[one.metric],
        share(one.base),
        share(one.head),
        _difference(one.metric, one.difference),
        _interval(one),
        p_cell(one.p_value),
        _gate(one, gate),
    )


def _difference(name: str, value: float | None) -> str:
    return points(value) if name in SHARES else signed(value)


def _interval(one: Metric) -> str:
    if one.low is None or one.high is None:
        return ABSENT
    if one.metric in SHARES:
        return points_interval(one.low, one.high)
    return f"[{signed(one.low)}, {signed(one.high)}]"


def _gate(one: Metric, gate: Judgement | None) -> str:
    """Return the sign of a gate, and the smallest drop it can see."""
    if gate is None:
        return ""
    sees = ""
    if gate.sees is not None:
        sees = f" sees {100 * gate.sees:.1f}" if one.metric in SHARES else f" sees {share(gate.sees)}"
    return SIGNS[gate.outcome] + sees


# ------------------------------------------------------------------------------------------------ the rest
def _project(found: Difference) -> Iterator[str]:
    """Yield what changed beside the tasks, folded."""
    code = [Change(name=stage, base=None, head=None) for stage in found.code]
    for title, noun, changed in (
        ("Parameter", "parameter", found.parameters),
        ("Package", "package", found.packages),
        ("Stage", "stage time", found.times),
    ):
        if changed:
            summary = f"{plural(len(changed), noun)} changed"
            yield DETAILS.format(summary, changes_table(title, changed))
    if code:
        names = ", ".join(words_of(one.name) for one in code)
        yield DETAILS.format(f"The code of {plural(len(code), 'stage')} changed", f"{names}\n")


def _name(task: TaskDifference) -> str:
    return f"**{words_of(task.task)}**"
