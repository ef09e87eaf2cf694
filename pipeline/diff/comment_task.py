"""The folded details of one task: fixed and broken examples, slices, curves, rows, and checks of the data."""

from collections.abc import Sequence

from pipeline.core.format import ABSENT, count, escape_markdown, markdown_table, p_cell, plural, points, share, shorten
from pipeline.diff.document import Change, Example, TaskDifference
from pipeline.diff.text_curves import render_calibration, render_learning

VALUE_LENGTH, SHOWN_EXAMPLES = 80, 10
_DETAILS = "<details>\n<summary>{}</summary>\n\n{}\n</details>\n"


def render_task(task: TaskDifference) -> str:
    """Return everything that changed in a task, folded; empty if nothing is known."""
    flips = task.flips
    parts = [
        _render_flips(task),
        _render_groups(task) if flips and flips.fixed + flips.broken else "",
        _render_examples("Broken", flips.broken_examples, flips.broken) if flips else "",
        _render_examples("Fixed", flips.fixed_examples, flips.fixed) if flips else "",
        _render_curves(task),
        _render_rows(task),
        render_changes("Data check", task.findings),
    ]
    body = "\n".join(part for part in parts if part)
    summary = f"{count(flips.fixed)} fixed, {count(flips.broken)} broken" if flips else "not compared row by row"
    return fold(f"{escape(task.task)}: {summary}", body) if body else ""


def render_changes(title: str, changes: Sequence[Change]) -> str:
    """Return values that changed as a table; empty if there are none."""
    rows = [(escape(change.name), _value_cell(change.base), _value_cell(change.head)) for change in changes]
    return markdown_table((title, "Base", "Head"), rows) if rows else ""


def fold(summary: str, body: str) -> str:
    """Return Markdown behind a line that unfolds it."""
    return _DETAILS.format(summary, body)


def escape(text: str, most: int = VALUE_LENGTH) -> str:
    """Return a text of the document as inert Markdown of at most `most` characters."""
    return escape_markdown(shorten(text, most))


def _render_flips(task: TaskDifference) -> str:
    flips = task.flips
    if flips is None or task.test is None:
        return ""
    examples = plural(task.test.common, "common test example")
    if not flips.fixed + flips.broken:
        return f"Of {examples}, the change fixes none and breaks none.\n"
    return (
        f"Of {examples}, the change fixes {count(flips.fixed)} and breaks {count(flips.broken)} "
        f"(McNemar: exact p {p_cell(flips.p_value)}, mid-p {p_cell(flips.mid_p)}).\n"
    )


def _render_groups(task: TaskDifference) -> str:
    header = ("Slice", "", "Test rows", "Base right", "Head right", "Difference", "Fixed", "Broken", "p (Holm)")
    rows = [
        (
            escape(group.kind),
            escape(group.value),
            count(group.rows),
            share(group.base),
            share(group.head),
            points(group.head - group.base),
            count(group.fixed),
            count(group.broken),
            p_cell(group.p_value),
        )
        for group in task.groups
    ]
    return markdown_table(header, rows, right=range(2, 9)) if rows else ""


def _render_examples(title: str, examples: Sequence[Example], total: int) -> str:
    """Return examples by their id and source line; their texts stay where the data are."""
    if not examples:
        return ""
    rows = [
        (
            ABSENT if example.line is None else escape(str(example.line)),
            f"<code>{escape(example.id)}</code>",
            *(escape(label) for label in (example.label, example.base, example.head)),
        )
        for example in examples[:SHOWN_EXAMPLES]
    ]
    table = markdown_table(("Line", "Id", "Class", "Base predicts", "Head predicts"), rows, right=[0])
    return f"{title}, most confident errors first ({count(len(rows))} of {count(total)}):\n\n{table}"


def _render_curves(task: TaskDifference) -> str:
    if len(task.curves) != 2 or task.curves[0] == task.curves[1]:
        return ""
    curves = (render_calibration(*task.curves), render_learning(*task.curves))
    return "".join(f"```text\n{curve}\n```\n" for curve in curves if curve)


def _render_rows(task: TaskDifference) -> str:
    header = ("Split", "Base", "Head", "Added", "Removed", "Relabelled", "From another split")
    rows = [
        (row.split, *map(count, (row.base, row.head, row.added, row.removed, row.relabelled, row.moved)))
        for row in task.rows
    ]
    return markdown_table(header, rows, right=range(1, 7)) if rows else ""


def _value_cell(value: str | None) -> str:
    return ABSENT if value is None else escape(value)
