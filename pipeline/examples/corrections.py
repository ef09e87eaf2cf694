"""Corrections of a task's labels, applied to the rows of its file."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.core.errors import DataError, listed
from pipeline.settings.corrections import REMOVE, Correction


class Corrected(NamedTuple):
    """The labels of all rows, the rows to remove, and what became of each correction."""

    labels: list[str]
    removed: frozenset[int]
    counts: Document


def apply_corrections(
    corrections: Mapping[str, Correction], *, ids: Sequence[str], labels: Sequence[str], classes: Sequence[str]
) -> Corrected:
    """Return the labels of N rows, corrected. `ids` are those of their texts, so a correction fits its text alone.

    A correction no longer fits if no row has its text, or none the label that it was made for; it is then not applied,
    and counted. One whose label is in the file already is `needless`. `removed` counts rows, all others texts.

    Raises:
        DataError: A correction is no class.
    """
    allowed = {*classes, REMOVE}
    if unknown := sorted({item.correction for item in corrections.values()} - allowed):
        raise DataError(
            f"corrections: {len(unknown)} names of no class, {listed(unknown)}. Write one of {listed(classes)}, or "
            f"{REMOVE} to remove the text."
        )
    corrected, removed = list(labels), set()
    changed, needless = set(), set()
    for row, (identity, label) in enumerate(zip(ids, labels, strict=True)):
        item = corrections.get(identity)
        if item is None:
            continue
        if item.correction == label:
            needless.add(identity)
        elif item.label in (None, label):
            changed.add(identity)
            if item.correction in classes:
                corrected[row] = item.correction
            else:
                removed.add(row)
    stale = [identity for identity in corrections if identity not in changed | needless]
    counts = {
        "given": len(corrections),
        "applied": len(changed),
        "removed": len(removed),
        "needless": len(needless - changed),
        "stale": {"count": len(stale), "ids": stale[:5]},
    }
    return Corrected(corrected, frozenset(removed), counts)
