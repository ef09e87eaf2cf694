"""The guess at what somebody's data are: layout, columns, classes and splits, each found in the files or asked for."""

import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import DataError, UsageError, listed
from pipeline.core.tables import name_indices
from pipeline.examples.read import Layout, Limits
from pipeline.project.columns import (
    MOST_CLASSES,
    Column,
    as_label,
    is_finite_number,
    is_of_classes,
    is_split,
    list_labels,
    list_texts,
    measure_columns,
)
from pipeline.project.folders import FileGlobs, group_files, list_data
from pipeline.project.layout import Row, guess_layout, read_columns, read_schema
from pipeline.settings.shared.classes import Threshold

Ask = Callable[[str, Sequence[str]], str]  # a question and its possible answers -> the answer

_ROLES = {"text": "the texts", "label": "the labels"}


class Guess(NamedTuple):
    """What somebody's data are.

    Args:
        files: The files of a folder, None if it is one file.
        layout: How they hold their rows.
        text: The column with the text.
        label: The column with the label.
        labels: The classes in order, or the class by label in the file; None if there is a threshold.
        threshold: The cut of numeric labels, None if there are classes.
        counts: Rows by label; of numeric labels by class.
        split: The column with the split, None if there is none.
        unlabelled: Rows without a label.
        other_labels: Further columns that might be the label.
        nameless: Columns without a name, which are not read.
        header: The first line, if it looks like a row; None if it looks like names of columns.
    """

    files: FileGlobs | None
    layout: Layout
    text: str
    label: str
    labels: list[str] | dict[str, str] | None
    threshold: Threshold | None
    counts: dict[str, int]
    split: str | None
    unlabelled: int
    other_labels: tuple[str, ...] = ()
    nameless: int = 0
    header: tuple[str, ...] | None = None


def guess_data(
    path: Path, limits: Limits, *, text: str | None = None, label: str | None = None, ask: Ask | None = None
) -> Guess:
    """Return the guess at the data of a file, or of a folder laid out like a dataset of the Hub.

    `text` and `label` name columns that need no guess. What is not clear is asked by `ask`.

    Raises:
        UsageError: A column is not clear and cannot be asked for, or there is none.
        DataError: A file breaks its format.
        EnvironmentFault: A file cannot be read.
    """
    names = list_data(path) if path.is_dir() else []
    paths = [path / name for name in names] or [path]
    layout = guess_layout(paths[0], limits)
    header, columns = _measure(paths, layout, limits)
    if len(columns) < 2:
        raise UsageError(
            f"{path}: a task needs a column of texts and one of labels, found {len(columns)}. Save it as a table with "
            "a header; for lines without one write the task by hand, with `format: pattern`."
        )
    text = _settle("text", text, list_texts(columns), columns, ask)
    others = [column for column in columns if column.name != text]
    label = _settle("label", label, list_labels(others), columns, ask)
    chosen = next(column for column in columns if column.name == label)
    if label == text:
        raise UsageError(f"text and label are both {label!r}. Name two columns.")
    files = group_files(names) if names else None
    split = None if isinstance(files, dict) else next((one.name for one in others if is_split(one)), None)
    labels, threshold, counts = find_classes(chosen, paths, layout, limits)
    further = tuple(one.name for one in others if one is not chosen and is_of_classes(one) and not is_split(one))
    return Guess(
        files, layout, text, label, labels, threshold, counts, split, chosen.empty, further, header.count(""),
        tuple(header) if looks_like_row(chosen) else None,
    )  # fmt: skip


def looks_like_row(label: Column) -> bool:
    """Return whether the name of the column of labels is a label itself, as that of a file without a header is."""
    return as_label(label.name) in (label.counts or ()) or is_finite_number(label.name.strip())


def _measure(paths: Sequence[Path], layout: Layout, limits: Limits) -> tuple[list[str], list[Column]]:
    """Return the header of the first file, and the columns of all files together; each has those of the first."""
    first, _ = read_columns(paths[0], layout, limits)

    def rows() -> Iterator[Row]:
        for path in paths:
            names, cells = read_columns(path, layout, limits)
            if names != first:
                raise DataError(
                    f"{path}: other columns than {paths[0].name}, found {listed(names)} and not {listed(first)}. "
                    "Name files with the same columns."
                )
            yield from cells

    return first, measure_columns(first, rows())


def _settle(role: str, given: str | None, candidates: Sequence[str], columns: Sequence[Column], ask: Ask | None) -> str:
    """Return the column of a role: the given one, the only candidate, or the answer.

    Raises:
        UsageError: There is no such column, or nobody to ask.
    """
    names = [column.name for column in columns]
    if given is not None:
        if given not in names:
            raise UsageError(f"--{role}: no column {given!r}, found {listed(names, most=20)}. Name one of these.")
        return given
    if len(candidates) == 1:
        return candidates[0]
    if ask is None:
        raise UsageError(
            f"it is not clear which column holds {_ROLES[role]}, found {listed(candidates, most=20)}. "
            f"Name it with `--{role} COLUMN`."
        )
    return ask(f"Which column holds {_ROLES[role]}?", candidates)


def find_classes(
    column: Column, paths: Sequence[Path], layout: Layout, limits: Limits
) -> tuple[list[str] | dict[str, str] | None, Threshold | None, dict[str, int]]:
    """Return the classes or the threshold of the column of labels, and the rows by label or by side.

    Raises:
        UsageError: There are too many different labels, or fewer than two, however they are spelled.
    """
    counts = column.counts or Counter()
    if column.is_number and not 2 <= len(counts) <= MOST_CLASSES:
        values = [float(value) for value in _read_labels(column.name, paths, layout, limits)]
        most = max(values)
        at = min(statistics.median_low(values), max((value for value in values if value < most), default=most))
        above = sum(value > at for value in values)
        return None, Threshold(at=at, above="high", otherwise="low"), {"low": len(values) - above, "high": above}
    if not 2 <= len(counts) <= MOST_CLASSES:
        found = f"more than {MOST_CLASSES}" if column.counts is None or len(counts) > MOST_CLASSES else len(counts)
        raise UsageError(
            f"column {column.name!r}: a task has 2 to {MOST_CLASSES} classes here, found {found}. "
            "Name the column of the labels with `--label COLUMN`."
        )
    ordered = {label: counts[label] for label in sorted(counts, key=order_label)}
    labels = name_labels(ordered, paths[0], layout, column.name) or _fold_spellings(ordered)
    if isinstance(labels, dict) and len({*labels.values()}) < 2:
        raise UsageError(
            f"column {column.name!r}: a task has 2 to {MOST_CLASSES} classes here, found one in several spellings, "
            f"{listed(ordered)}. Name the column of the labels with `--label COLUMN`."
        )
    return labels, None, ordered


def _read_labels(name: str, paths: Sequence[Path], layout: Layout, limits: Limits) -> Iterator[str]:
    for path in paths:
        names, rows = read_columns(path, layout, limits)
        place = names.index(name)
        yield from filter(None, (as_label(row[place]) for row in rows))


def order_label(label: str) -> tuple[float, str]:
    """Return a key that sorts numbers by their value."""
    return (float(label) if is_finite_number(label) else 0.0, label)


def _fold_spellings(counts: dict[str, int]) -> list[str] | dict[str, str]:
    """Return the labels, or a map to the commonest spelling of each if some differ in case alone."""
    best: dict[str, str] = {}
    for label in sorted(counts, key=lambda label: -counts[label]):
        best.setdefault(label.casefold(), label)
    if len(best) == len(counts):
        return list(counts)
    return {label: best[label.casefold()] for label in counts}


def name_labels(labels: Collection[str], path: Path, layout: Layout, column: str) -> dict[str, str]:
    """Return the names that the library `datasets` has written into a Parquet file for labels that are numbers.

    None unless it names all.
    """
    known = name_indices(read_schema(path), column) if layout.format == "parquet" else ()
    names = {str(index): name for index, name in enumerate(known)}
    return {label: names[label] for label in labels} if all(label in names for label in labels) else {}
