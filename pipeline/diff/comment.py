"""The comment on a pull request: a verdict, a table and folded details in GitHub Markdown, inert whatever the data."""

from collections.abc import Iterator

from pipeline.core.format import (
    ABSENT,
    count,
    markdown_table,
    p_cell,
    percent,
    plural,
    points,
    points_interval,
    share,
    signed,
)
from pipeline.diff.comment_task import escape, fold, render_changes, render_task
from pipeline.diff.document import Difference, Judgement, MetricChange, Outcome, Side, TaskDifference

MOST_COMMENT_BYTES = 65_000  # GitHub refuses comments above 65,536 characters
MOST_TABLE_ROWS, MOST_GATE_NAMES, MOST_STALE_STAGES = 120, 10, 20
REASON_LENGTH, NOTE_LENGTH = 300, 400
SIGNS: dict[Outcome, str] = {"passed": "✅", "unproven": "⚠️", "failed": "❌", "unjudged": "❔"}
TITLES: dict[Outcome, str] = {
    "failed": "failed",
    "unproven": "passed, with a drop that may be chance",
    "unjudged": "not judged in full",
    "passed": "passed",
}
UNREPRODUCED = "not judged: the results are not reproduced"
FOOTNOTE = f"""<sub>Differences of shares, like accuracy, are in percentage points. Intervals and p values compare both
models on the same test examples: McNemar's exact test for a share of right ones, a paired bootstrap for other metrics.
{SIGNS["failed"]} a drop larger than allowed and than chance explains, or a value below its floor;
{SIGNS["unproven"]} a drop larger than allowed that may be chance; {SIGNS["unjudged"]} no number to judge.
“detects” is the smallest true drop that the gate fails in four cases of five.</sub>
"""


def render_comment(difference: Difference) -> str:
    """Return the comment, at most `MOST_COMMENT_BYTES`; what does not fit is left out from the end, and counted."""
    tasks = [render_task(task) for task in difference.tasks]
    blocks = [*_render_verdict(difference), _render_table(difference), *tasks, *_render_project(difference)]
    kept, room, lost = [], MOST_COMMENT_BYTES - len(FOOTNOTE.encode()) - 200, 0
    for block in filter(None, blocks):
        if len(block.encode()) + 1 <= room:
            kept.append(block)
            room -= len(block.encode()) + 1
        else:
            lost += 1
    if lost:
        kept.append(f"{plural(lost, 'part')} did not fit here; the document (`--json`) has more.\n")
    if difference.left_out:
        kept.append(
            f"{plural(difference.left_out, 'task, parameter or package', 'tasks, parameters or packages')} "
            "did not fit into the document.\n"
        )
    return "\n".join([*kept, FOOTNOTE])


# ------------------------------------------------------------------------------------------------ verdict
def _render_verdict(difference: Difference) -> Iterator[str]:
    """Yield the verdict, then what must be known before the numbers are read."""
    stale = any(side.stale for side in (difference.base, difference.head))
    title = UNREPRODUCED if stale and difference.outcome != "failed" else TITLES[difference.outcome]
    yield f"### {SIGNS[difference.outcome]} Metric diff: {title}\n"
    yield f"{_side(difference.base)} → {_side(difference.head)}\n"
    yield from (_render_stale(name, side) for name, side in _sides(difference) if side.stale)
    gates = [(task, gate) for task in difference.tasks for gate in task.gates]
    passed = sum(gate.outcome == "passed" for _, gate in gates)
    yield f"{count(passed)} of {plural(len(gates), 'gate')} passed.\n" if gates else "There are no gates.\n"
    for outcome in ("failed", "unproven", "unjudged"):
        for task, gate in gates:
            if gate.outcome == outcome:
                yield f"- {SIGNS[gate.outcome]} {_name(task)}: {escape(gate.reason, REASON_LENGTH)}."
    for task in difference.tasks:
        yield from (f"- {_name(task)}: {escape(note, NOTE_LENGTH)}" for note in task.notes)
    moved = [change.name for change in difference.parameters if ".gates." in f".{change.name}"]
    if moved:
        names = ", ".join(escape(name) for name in moved[:MOST_GATE_NAMES])
        yield f"- **The gates changed** ({names}); the head's gates apply."


def _render_stale(name: str, side: Side) -> str:
    """Return the stages that a revision has yet to run, the first of them with their reasons."""
    rows = [(f"<code>{escape(stage.stage)}</code>", escape(stage.reasons, REASON_LENGTH)) for stage in side.stale]
    more = len(rows) - MOST_STALE_STAGES
    return (
        f"The results of the {name} are not of its code, parameters and data: run `dvc repro` there, and commit "
        f"dvc.lock with the metrics. {plural(len(rows), 'stage')} would run:\n\n"
        f"{markdown_table(('Stage', 'Why'), rows[:MOST_STALE_STAGES])}"
        + (f"\n{plural(more, 'more stage is', 'more stages are')} in the document.\n" if more > 0 else "")
    )


def _sides(difference: Difference) -> tuple[tuple[str, Side], ...]:
    return (("base", difference.base), ("head", difference.head))


def _side(side: Side) -> str:
    return f"**{escape(side.name)}**" + (f" ({side.commit[:9]})" if side.commit else "")


def _name(task: TaskDifference) -> str:
    return f"**{escape(task.task)}**"


# ------------------------------------------------------------------------------------------------ table
def _render_table(difference: Difference) -> str:
    """Return one row a metric, the tasks in order."""
    interval = f"{percent(difference.confidence)} interval"
    header = ("Task", "Metric", "Base", "Head", "Difference", interval, "p", "Gate")
    rows = [
        _metric_row(task, metric, next((gate for gate in task.gates if gate.metric == metric.metric), None))
        for task in difference.tasks
        for metric in _list_metrics(task)
    ]
    if not rows:
        return "No task has a metric.\n"
    more = len(rows) - MOST_TABLE_ROWS
    rest = f"\n{plural(more, 'more row is', 'more rows are')} in the document.\n" if more > 0 else ""
    return f"\n{markdown_table(header, rows[:MOST_TABLE_ROWS], right=range(2, 7))}{rest}"


def _list_metrics(task: TaskDifference) -> list[MetricChange]:
    """Return the metrics of a task, of those with equal titles the first one, unless another has a gate."""
    first = {metric.title: metric.metric for metric in reversed(task.metrics)}
    gated = {gate.metric for gate in task.gates}
    return [metric for metric in task.metrics if metric.metric in gated or first[metric.title] == metric.metric]


def _metric_row(task: TaskDifference, metric: MetricChange, gate: Judgement | None) -> tuple[str, ...]:
    return (
        _name(task),
        escape(metric.title),
        share(metric.base),
        share(metric.head),
        points(metric.difference) if metric.unit == "share" else signed(metric.difference),
        _interval_cell(metric),
        p_cell(metric.p_value),
        _gate_cell(metric, gate),
    )


def _interval_cell(metric: MetricChange) -> str:
    if metric.low is None or metric.high is None:
        return ABSENT
    if metric.unit == "share":
        return points_interval(metric.low, metric.high)
    return f"[{signed(metric.low)}, {signed(metric.high)}]"


def _gate_cell(metric: MetricChange, gate: Judgement | None) -> str:
    """Return the sign of a gate, and the smallest drop it can detect."""
    if gate is None:
        return ""
    detects = ""
    if gate.sees is not None:
        detects = f" detects {100 * gate.sees:.1f}" if metric.unit == "share" else f" detects {share(gate.sees)}"
    return SIGNS[gate.outcome] + detects


# ------------------------------------------------------------------------------------------------ project
def _render_project(difference: Difference) -> Iterator[str]:
    """Yield the changes beside the tasks, folded."""
    for title, noun, changes in (
        ("Parameter", "parameter", difference.parameters),
        ("Package", "package", difference.packages),
        ("Stage", "stage time", difference.times),
    ):
        if changes:
            yield fold(f"{plural(len(changes), noun)} changed", render_changes(title, changes))
    if difference.code:
        stages = ", ".join(escape(stage) for stage in difference.code)
        yield fold(f"The code of {plural(len(difference.code), 'stage')} changed", f"{stages}\n")
