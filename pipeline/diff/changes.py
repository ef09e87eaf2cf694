"""What differs between two revisions beside the metrics: parameters, packages, rows, findings, curves."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.core.format import shorten, visible
from pipeline.core.tables import class_names
from pipeline.diff.document import MOST_ROWS, Bin, Change, Curves, Evaluation, RowChanges
from pipeline.evaluate.metrics import Scored, calibration
from pipeline.settings.fields import SPLITS

Document = Mapping[str, Any]
WIDTH = 120


def changes(base: Mapping[str, str], head: Mapping[str, str]) -> list[Change]:
    """Return the names whose values differ, those of the head first, in their order."""
    names = dict.fromkeys((*head, *base))
    return [
        Change(name=word(name), base=_word(base.get(name)), head=_word(head.get(name)))
        for name in names
        if base.get(name) != head.get(name)
    ]


def flat(values: Any, prefix: str = "") -> dict[str, str]:
    """Return a document as `{dotted key: JSON of the value}`; lists are values."""
    if not isinstance(values, dict) or not values:
        return {prefix.rstrip("."): json.dumps(values, ensure_ascii=False, default=str)}
    found: dict[str, str] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.")
    return found


def word(text: str) -> str:
    """Return a text in one short line without characters that hide or act."""
    return shorten(visible(text), WIDTH)


def row_changes(base: pa.Table, head: pa.Table) -> list[RowChanges]:
    """Return how the examples of each split differ, by their ids; splits without a difference are left out."""
    before, after = _rows(base), _rows(head)
    found = []
    for split in SPLITS:
        old = {key: label for key, (side, label) in before.items() if side == split}
        new = {key: label for key, (side, label) in after.items() if side == split}
        change = RowChanges(
            split=split,
            base=len(old),
            head=len(new),
            added=sum(key not in before for key in new),
            removed=sum(key not in after for key in old),
            relabelled=sum(old.get(key, label) != label for key, label in new.items()),
            moved=sum(key in before and key not in old for key in new),
        )
        if change.added or change.removed or change.relabelled or change.moved or len(old) != len(new):
            found.append(change)
    return found


def findings_changes(base: Document, head: Document) -> list[Change]:
    """Return the checks of the data that came out otherwise."""
    old, new = (
        {str(check.get("title")): f"{check.get('outcome')}: {check.get('found')}" for check in one.get("checks", ())}
        for one in (base, head)
    )
    still = {
        title
        for title in old.keys() & new.keys()
        if old[title].startswith("passed: ") and new[title].startswith("passed: ")
    }
    return changes(
        {title: said for title, said in old.items() if title not in still},
        {title: said for title, said in new.items() if title not in still},
    )


def curves(history: Document | None, model: Scored | None, *, bins: int) -> Curves:
    """Return the calibration of a scored model and the course of its training; what is not there is empty."""
    buckets: Sequence[Document] = [] if model is None else calibration(model, bins=bins)
    return Curves(
        calibration=tuple(
            Bin(low=one["low"], count=one["count"], confidence=min(1.0, one["confidence"]), right=one["accuracy"])
            for one in buckets
            if one["count"]
        ),
        learning=tuple(
            Evaluation(step=one["step"], loss=one.get("loss"))
            for one in (history or {}).get("evaluations", [])[-MOST_ROWS:]
            if isinstance(one.get("step"), int)
        ),
    )


def _word(text: str | None) -> str | None:
    return None if text is None else word(text)


def _rows(table: pa.Table) -> dict[str, tuple[str, str]]:
    columns = (table["id"].to_pylist(), table["split"].to_pylist(), class_names(table))
    return {key: (split, label) for key, split, label in zip(*columns, strict=True)}
