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
    corrections: Mapping[str, Correction],
    *,
    file: str,
    ids: Sequence[str],
    labels: Sequence[str],
    classes: Sequence[str],
) -> Corrected:
    """Return the labels of N rows, corrected. `ids` are those of their texts, so a correction fits its text alone.

    `file` is that of the corrections, for the error.

    A correction no longer fits if no row has its text, or none the label that it was made for; it is then not applied,
    and counted. One whose label is in the file already is `needless`. `removed` counts rows, all others texts.

    Raises:
        DataError: A correction is no class.
    """
    allowed = {*classes, REMOVE}
    unknown = {name: item.correction for name, item in corrections.items() if item.correction not in allowed}
    if unknown:
        names = listed(sorted({*unknown.values()}))
        raise DataError(
            f"{file}: column 'correction': {len(unknown)} row(s) without a class, {names} (id {listed(unknown)}). "
            f"Write one of {listed(classes, most=20)}, or {REMOVE} to remove the text."
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
