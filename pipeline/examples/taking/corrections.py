"""The corrections of a task's labels: applied to rows as they come, and counted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.core.document import Document
from pipeline.core.errors import DataError, listed
from pipeline.settings.corrections import REMOVE, Correction


class CorrectedLabels:
    """The labels that somebody has corrected, by the id of their text, so that each fits its text alone.

    A correction no longer fits if no row has its text, or none the label that it was made for; it is then not applied,
    and counted. One whose label is in the file already is `needless`. `removed` counts rows, all others texts.

    Args:
        items: The corrections.
        parse: `parse(words)` is the label that somebody has written, None if it is none.
    """

    def __init__(self, items: Mapping[str, Correction], parse: Callable[[str], Any]) -> None:
        """Start without rows."""
        self._items, self._parse = items, parse
        self._wanted = {name: parse(item.correction) for name, item in items.items()}
        self._changed, self._needless = set[str](), set[str]()
        self._removed = 0

    def check(self, *, file: str, classes: Sequence[str]) -> None:
        """Check that each correction is a label; `file` is theirs, and `classes` are those of the task, for the error.

        Raises:
            DataError: One is none.
        """
        unknown = {
            name: item.correction
            for name, item in self._items.items()
            if self._wanted[name] is None and item.correction != REMOVE
        }
        if unknown:
            names = listed(sorted({*unknown.values()}))
            raise DataError(
                f"{file}: column 'correction': {len(unknown)} row(s) without a class, {names} (id {listed(unknown)}). "
                f"Write one of {listed(classes, most=20)}, or {REMOVE} to remove the text."
            )

    def apply(self, ids: Sequence[str], labels: Sequence[Any]) -> tuple[list[Any], set[int]]:
        """Return the labels of N rows, corrected, and the rows to remove; `ids` are those of their texts."""
        corrected, removed = list(labels), set[int]()
        if not self._items:
            return corrected, removed
        for row, (identity, label) in enumerate(zip(ids, labels, strict=True)):
            item = self._items.get(identity)
            if item is None:
                continue
            wanted = self._wanted[identity]
            if wanted is not None and wanted == label:
                self._needless.add(identity)
            elif item.label is None or (label is not None and self._parse(item.label) == label):
                self._changed.add(identity)
                if wanted is None:
                    removed.add(row)
                else:
                    corrected[row] = wanted
        self._removed += len(removed)
        return corrected, removed

    def count(self) -> Document:
        """Return what became of the corrections over all rows so far."""
        stale = [identity for identity in self._items if identity not in self._changed | self._needless]
        return {
            "given": len(self._items),
            "applied": len(self._changed),
            "removed": self._removed,
            "needless": len(self._needless - self._changed),
            "stale": {"count": len(stale), "ids": stale[:5]},
        }
