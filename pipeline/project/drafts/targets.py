"""Keys that follow from the target of a task, the column that its model is to tell: classes, types, a separator."""

from collections import Counter
from collections.abc import Callable

from pipeline.core.format import count
from pipeline.project.columns import Column
from pipeline.project.drafts.roles import count_listed, find_separator, split_cells
from pipeline.project.drafts.table import Table
from pipeline.project.guess import find_classes, name_labels, order_label
from pipeline.project.task import Entry, describe_counts
from pipeline.settings.shared.kind import Role

_OUTSIDE = "O"
_NUMBERED = 'of numbers for tags of spans drop this line, and map them: labels: {"0": O, "1": B-PER, "2": I-PER}'


def describe_target(column: Column, role: Role, table: Table) -> list[Entry]:
    """Return the keys of `ingest` that follow from the target."""
    entries = _TARGETS[role](column, table) if role in _TARGETS else []
    empty = column.empty if role in ("class", "number") else 0
    return [*entries, *([("unlabelled", "drop", f"{count(empty)} without a label")] if empty else [])]


def _name_classes(column: Column, table: Table) -> list[Entry]:
    labels, threshold, counts = find_classes(column, [table.path], table.layout, table.limits)
    if threshold is not None:
        return [("threshold", threshold.model_dump(), "cut at the median; name the sides")]
    return [("labels", labels, describe_counts(counts))]


def _name_class_lists(column: Column, table: Table) -> list[Entry]:
    cells = table.cells[column.name]
    counts, separator = count_listed(cells), find_separator(cells)
    mark: list[Entry] = [("separator", separator, "")] if separator else []
    return [*mark, ("labels", _name(counts, column, table) or sorted(counts), describe_counts(counts))]


def _name_tags(column: Column, table: Table) -> list[Entry]:
    """Return the types of the spans or the plain tags, and the scheme, which the letters before the types tell."""
    spelled = Counter(tag for row in split_cells(table.cells[column.name], None) for tag in row)
    names = _name(spelled, column, table)
    tags = Counter({names.get(tag, tag): rows for tag, rows in spelled.items()})
    parts = {tag: tag.partition("-") for tag in tags if tag != _OUTSIDE}
    letters = {letter for letter, _, _ in parts.values()}
    if not all(dash for _, dash, _ in parts.values()) or not letters <= set("BILUES"):
        remark = _NUMBERED if all(tag.isdigit() for tag in tags) else "plain tags"
        return [("scheme", "none", remark), ("labels", names or sorted(tags), describe_counts(tags))]
    spans = Counter[str]()
    for tag, (letter, _, name) in parts.items():
        spans[name] += tags[tag] if letter in ("B", "U", "S") else 0
    scheme: list[Entry] = [("scheme", "bilou", "")] if letters & set("LUES") else []
    return [*scheme, ("labels", names or sorted(spans), f"spans: {describe_counts(spans)}")]


def _name(counts: Counter[str], column: Column, table: Table) -> dict[str, str]:
    """Return the names that the file states for its labels, in the order of their numbers; none unless it names all."""
    return name_labels(sorted(counts, key=order_label), table.path, table.layout, column.name)


_TARGETS: dict[Role, Callable[[Column, Table], list[Entry]]] = {
    "class": _name_classes,
    "classes": _name_class_lists,
    "tags": _name_tags,
}
