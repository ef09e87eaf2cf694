"""The roles that the columns of a file can take in a task, by what they hold and how they are called."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from pipeline.project.columns import MOST_CLASSES, Column, as_label, is_of_classes, is_split, score_text
from pipeline.project.drafts.table import Table
from pipeline.settings.shared.kind import Role

SEPARATORS = (";", "|", ",", " ")  # between the classes in one cell
_ROWS_OF_A_CLASS = 5  # on average, or a text is none of classes
_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_USUAL: dict[Role, tuple[str, ...]] = {
    "text": ("sentence", "body", "review", "passage"),
    "class": ("class", "category", "intent", "target"),
    "number": ("score", "rating", "value", "target"),
    "classes": ("labels", "tags", "topics", "categories"),
    "words": ("tokens",),
    "tags": ("ner_tags", "pos_tags", "labels"),
    "answers": ("answer",),
    "image": ("path", "file", "filename", "file_name"),
}


def assign_columns(roles: Mapping[str, Role], table: Table) -> dict[str, list[str]]:
    """Return the columns that fit each key, the likeliest first, without those that are taken for another key.

    A column that is called as a key is rather that key's than another's.
    """
    taken: set[str] = set()
    fitting: dict[str, list[str]] = {}
    for key, role in roles.items():
        free = [column for column in table.columns if column.name not in taken and not is_split(column)]
        names = _prefer(_FITS[role](free, table), (key, *_USUAL[role]))
        others = {*roles} - {key}
        fitting[key] = [*(name for name in names if name not in others), *(name for name in names if name in others)]
        taken.update(fitting[key][:1])
    firsts = {names[0] for names in fitting.values() if names}
    return {key: [*names[:1], *(name for name in names[1:] if name not in firsts)] for key, names in fitting.items()}


def split_cells(cells: Sequence[Any], separator: str | None) -> list[list[str]]:
    """Return the classes in each cell, a list or a text in which a separator divides them."""
    lists = [cell if isinstance(cell, list) else as_label(cell).split(separator) for cell in cells]
    return [[label for part in parts if (label := as_label(part))] for parts in lists]


def find_separator(cells: Sequence[Any]) -> str | None:
    """Return the separator that leaves the fewest classes, in the order of `SEPARATORS`; None of lists."""
    if any(isinstance(cell, list) for cell in cells):
        return None
    sizes = {
        mark: len({label for labels in split_cells(cells, mark) for label in labels})
        for mark in SEPARATORS
        if any(mark in as_label(cell) for cell in cells)
    }
    return min(sizes, key=lambda mark: sizes[mark]) if sizes else None


def count_listed(cells: Sequence[Any]) -> Counter[str]:
    """Return the rows that each class of a list of them has."""
    return Counter(label for labels in split_cells(cells, find_separator(cells)) for label in set(labels))


def _prefer(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Return the names with those that are usual first."""
    return sorted(names, key=lambda name: usual.index(name.casefold()) if name.casefold() in usual else len(usual))


def _fit_texts(free: Sequence[Column], _: Table) -> list[str]:
    scores = {column.name: score_text(column) for column in free}
    return sorted((name for name, score in scores.items() if score > 0), key=lambda name: -scores[name])


def _fit_classes(free: Sequence[Column], _: Table) -> list[str]:
    names = [column.name for column in free if is_of_classes(column)]
    return names or [column.name for column in free if column.is_number and not column.is_nested]


def _fit_numbers(free: Sequence[Column], table: Table) -> list[str]:
    numbers = [column.name for column in free if column.is_number and not column.is_nested]
    fractions = {name: any("." in as_label(cell) for cell in table.cells[name]) for name in numbers}
    return sorted(fractions, key=lambda name: not fractions[name])


def _fit_class_lists(free: Sequence[Column], table: Table) -> list[str]:
    """Return the columns of lists, then those of texts in which a separator divides classes of several rows each."""
    lists = [column.name for column in free if _are_lists(table.cells[column.name])]
    marked = [column.name for column in free if not column.is_nested and find_separator(table.cells[column.name])]
    counts = {name: count_listed(table.cells[name]) for name in (*lists, *marked)}
    repeated = {name: name in lists or rows.total() >= _ROWS_OF_A_CLASS * len(rows) for name, rows in counts.items()}
    return [name for name, rows in counts.items() if repeated[name] and 2 <= len(rows) <= MOST_CLASSES]


def _fit_words(free: Sequence[Column], table: Table) -> list[str]:
    lists = {column.name: split_cells(cells, None) for column in free if _are_lists(cells := table.cells[column.name])}
    kinds = {name: len({part for parts in rows for part in parts}) for name, rows in lists.items()}
    return sorted(kinds, key=lambda name: -kinds[name])


def _fit_tags(free: Sequence[Column], table: Table) -> list[str]:
    return [column.name for column in free if _are_lists(table.cells[column.name])]


def _fit_answers(free: Sequence[Column], table: Table) -> list[str]:
    return [column.name for column in free if any(map(_is_answer, table.cells[column.name]))]


def _fit_images(free: Sequence[Column], table: Table) -> list[str]:
    def is_image(cell: Any) -> bool:
        return isinstance(cell, str) and PurePath(cell.lower()).suffix in _IMAGES

    return [column.name for column in free if any(map(is_image, table.cells[column.name]))]


def _are_lists(cells: Sequence[Any]) -> bool:
    known = [cell for cell in cells if cell is not None]
    plain = all(isinstance(cell, list) and not any(isinstance(part, list | dict) for part in cell) for cell in known)
    return bool(known) and plain


def _is_answer(cell: Any) -> bool:
    """Return whether a cell is of the SQuAD: a list of answers, or an object of two lists; JSON counts too."""
    if isinstance(cell, str) and cell.lstrip()[:1] in ("[", "{"):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return False
    first = cell[0] if isinstance(cell, list) and cell else cell
    return isinstance(first, dict) and first.keys() >= {"text", "answer_start"}


_FITS: dict[Role, Callable[[Sequence[Column], Table], list[str]]] = {
    "text": _fit_texts,
    "class": _fit_classes,
    "number": _fit_numbers,
    "classes": _fit_class_lists,
    "words": _fit_words,
    "tags": _fit_tags,
    "answers": _fit_answers,
    "image": _fit_images,
}
