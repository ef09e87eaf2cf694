"""What changed in one task, folded: the examples a change fixes and breaks, its parts, curves, rows and checks."""

from collections.abc import Sequence

from pipeline.core.format import ABSENT, count, escape_markdown, markdown_table, p_value, plural, points, share, shorten
from pipeline.diff.document import Change, Example, TaskDifference
from pipeline.diff.text_curves import calibration_text, learning_text

VALUE, SHOWN = 80, 10
DETAILS = "<details>\n<summary>{}</summary>\n\n{}\n</details>\n"


def task_details(task: TaskDifference) -> str:
    """Return all that is known of what changed in a task, folded; nothing where nothing did."""
    flips = task.flips
    parts = [
        _flips(task),
        _groups(task) if flips and flips.fixed + flips.broken else "",
        _examples("Broken", flips.broken_examples, flips.broken) if flips else "",
        _examples("Fixed", flips.fixed_examples, flips.fixed) if flips else "",
        _curves(task),
        _rows(task),
        changes_table("Check of the data", task.findings),
    ]
    body = "\n".join(part for part in parts if part)
    told = f"{count(flips.fixed)} fixed, {count(flips.broken)} broken" if flips else "not compared example by example"
    return DETAILS.format(f"{words_of(task.task)}: {told}", body) if body else ""


def _flips(task: TaskDifference) -> str:
    if task.flips is None or task.test is None:
        return ""
    one = task.flips
    if not one.fixed + one.broken:
        return f"Both models are right on the same of the {plural(task.test.common, 'common test example')}.\n"
    return (
        f"Of {plural(task.test.common, 'common test example')} the change fixes {count(one.fixed)} and breaks "
        f"{count(one.broken)} (McNemar: exact p {p_cell(one.p_value)}, mid-p {p_cell(one.mid_p)}).\n"
    )


def _groups(task: TaskDifference) -> str:
    header = ("Part", "", "Test rows", "Base right", "Head right", "Difference", "Fixed", "Broken", "p (Holm)")
    rows = [
        (
            words_of(one.kind),
            words_of(one.value),
            count(one.rows),
            share(one.base),
            share(one.head),
            points(one.head - one.base),
            count(one.fixed),
            count(one.broken),
            p_cell(one.p_value),
        )
        for one in task.groups
    ]
    return markdown_table(header, rows, right=range(2, 9)) if rows else ""


def _examples(title: str, shown: Sequence[Example], whole: int) -> str:
    """Return examples by their id and source line; their texts stay where the data are."""
    if not shown:
        return ""
    rows = [
        (
            count(one.line) if one.line is not None else ABSENT,
            f"<code>{words_of(one.id)}</code>",
            *(words_of(word) for word in (one.label, one.base, one.head)),
        )
        for one in shown[:SHOWN]
    ]
    table = markdown_table(("Line", "Id", "Class", "Base says", "Head says"), rows, right=[0])
    return f"{title}, the surest wrong first ({count(min(len(shown), SHOWN))} of {count(whole)}):\n\n{table}"


def _curves(task: TaskDifference) -> str:
    if len(task.curves) != 2 or task.curves[0] == task.curves[1]:
        return ""
    found = [one for one in (calibration_text(*task.curves), learning_text(*task.curves)) if one]
    return "".join(f"```text\n{one}\n```\n" for one in found)


def _rows(task: TaskDifference) -> str:
    header = ("Split", "Base", "Head", "Added", "Removed", "Relabelled", "From another split")
    rows = [
        (
            one.split,
            *(count(number) for number in (one.base, one.head, one.added, one.removed, one.relabelled, one.moved)),
        )
        for one in task.rows
    ]
    return markdown_table(header, rows, right=range(1, 7)) if rows else ""


def changes_table(title: str, changed: Sequence[Change]) -> str:
    """Return what has another value, as a table; nothing where nothing has."""
    rows = [(words_of(one.name), _value(one.base), _value(one.head)) for one in changed]
    return markdown_table((title, "Base", "Head"), rows) if rows else ""


def _value(value: str | None) -> str:
    return ABSENT if value is None else words_of(value)


def words_of(text: str, most: int = VALUE) -> str:
    """Return a text of the document as inert Markdown, shortened."""
    return escape_markdown(shorten(text, most))


def p_cell(value: float | None) -> str:
    """Return a p value as Markdown."""
    return p_value(value).replace("<", "&lt;")
