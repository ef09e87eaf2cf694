"""The columns of a file, measured: which one may be the text, which the label, which the split."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pipeline.settings.fields import SPLITS

MOST_CLASSES = 100
_MOST_VALUES = 1000  # of a column, counted one by one
_MOST_TEXTS = 100_000  # of a column, compared with one another
_ROWS_OF_A_CLASS = 5  # on average, or the column is none of classes
_CLEAR = 2.0  # times as much text as in the next column
# The usual names, the more usual first.
_TEXT_NAMES = ("text", "sentence", "body", "content", "message", "review", "comment", "tweet", "document", "question")
_LABEL_NAMES = ("label", "labels", "class", "category", "target", "sentiment", "intent", "topic", "tag", "type")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class Column(NamedTuple):
    """The values of a column.

    Args:
        name: Its name.
        filled: Rows with a value.
        empty: Rows without one.
        characters: Characters of all values.
        spoken: Values with a blank or a character beyond ASCII, as language has them and ids have not.
        distinct: Different values among the first 100,000.
        compared: How many these were.
        counts: Rows by value, stripped and in NFC; None if they are too many to be classes.
        is_number: Whether all values are finite numbers.
        is_nested: Whether there are lists or objects.
    """

    name: str
    filled: int
    empty: int
    characters: int
    spoken: int
    distinct: int
    compared: int
    counts: Counter[str] | None
    is_number: bool
    is_nested: bool


def measure_columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Column]:
    """Return the columns in the order of the file; those that share a name, and nameless ones, are left out."""
    measures = [_Measure() for _ in names]
    for row in rows:
        for measure, cell in zip(measures, row, strict=True):
            measure.add(cell)
    known = Counter(names)
    return [
        measure.column(name) for name, measure in zip(names, measures, strict=True) if name and known[name] == 1
    ]  # fmt: skip


def list_texts(columns: Sequence[Column]) -> list[str]:
    """Return the columns that may hold the texts, the longest and most distinct first; one if it is clear which.

    If none looks like texts, they are all columns, or the one with a usual name.
    """
    scores = {column.name: score_text(column) for column in columns}
    names = sorted((name for name, score in scores.items() if score > 0), key=lambda name: -scores[name])
    if len(names) > 1 and scores[names[0]] >= _CLEAR * scores[names[1]]:
        return names[:1]
    return _prefer(names or [*scores], _TEXT_NAMES)


def list_labels(columns: Sequence[Column]) -> list[str]:
    """Return the columns that may hold the labels; one if it is clear which.

    They have few values, each in several rows. If there is none, a column of numbers with many values may be one, to be
    cut in two by a threshold. If there is none of these, they are all columns, or the one with a usual name.
    """
    classes = [column.name for column in columns if is_of_classes(column) and not is_split(column)]
    numbers = [column.name for column in columns if column.is_number and column.filled and not column.is_nested]
    return _prefer(classes or numbers or [column.name for column in columns], _LABEL_NAMES)


def is_split(column: Column) -> bool:
    """Return whether the values are the names of splits, train and test at least."""
    values = set(column.counts or ())
    return {"train", "test"} <= values <= set(SPLITS)


def as_label(cell: Any) -> str:
    """Return a cell as `ingest` reads a label: text, stripped and in NFC; "" for none."""
    if cell is None:
        return ""
    return unicodedata.normalize("NFC", str(cell).lower() if isinstance(cell, bool) else str(cell)).strip()


def is_finite_number(value: str) -> bool:
    """Return whether a text is a number as `ingest.threshold` reads it."""
    return bool(_NUMBER.fullmatch(value)) and math.isfinite(float(value))


def _prefer(names: list[str], usual: Sequence[str]) -> list[str]:
    """Return the most usual of the names alone, or all if none is usual."""
    known = [name for word in usual for name in names if name.casefold() == word]
    return known[:1] or names


def score_text(column: Column) -> float:
    """Return the mean length of a column's values, times the share that is distinct; 0 if they are no language."""
    if column.is_nested or column.is_number or 2 * column.spoken < column.filled or column.distinct < 3:
        return 0.0
    return column.characters / column.filled * column.distinct / column.compared


def is_of_classes(column: Column) -> bool:
    """Return whether the values may be names of classes: few, and each in several rows."""
    if column.counts is None or column.is_nested:
        return False
    return 2 <= len(column.counts) <= min(MOST_CLASSES, max(2, column.filled // _ROWS_OF_A_CLASS))


class _Measure:
    """A column as it is read."""

    def __init__(self) -> None:
        self._filled = self._empty = self._characters = self._spoken = self._compared = 0
        self._hashes: set[int] = set()
        self._counts: Counter[str] | None = Counter()
        self._is_number, self._is_nested = True, False

    def add(self, cell: Any) -> None:
        if isinstance(cell, list | dict | tuple):  # a tuple stands for a cell that is too long to be kept
            self._is_nested = True
            return
        if not (value := as_label(cell)):
            self._empty += 1
            return
        self._filled += 1
        self._characters += len(value)
        self._spoken += " " in value or not value.isascii()
        self._is_number = self._is_number and is_finite_number(value)
        if self._compared < _MOST_TEXTS:
            self._compared += 1
            self._hashes.add(hash(value))
        if self._counts is not None:
            self._counts[value] += 1
            if len(self._counts) > _MOST_VALUES:
                self._counts = None

    def column(self, name: str) -> Column:
        return Column(
            name, self._filled, self._empty, self._characters, self._spoken, len(self._hashes), self._compared,
            self._counts, self._is_number and self._filled > 0, self._is_nested,
        )  # fmt: skip
