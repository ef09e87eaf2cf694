"""The class of each row, from the label in the file: by name or by threshold, nothing guessed."""

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from pipeline.core.errors import listed
from pipeline.examples.faults import Faults, RowErrors
from pipeline.examples.records import SEVERAL_VALUES, Records
from pipeline.settings.shared.classes import Threshold

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_SEPARATORS = re.compile(r"[|,;/+&]")
# Of a list to paste: labels, and characters of each. A column with more is hardly one of classes.
_MOST_LABELS, _LONGEST_LABEL = 1000, 200

LabelMap = Mapping[str, str] | Sequence[str] | None  # classes by label, or the labels that are classes


def list_classes(labels: LabelMap, threshold: Threshold | None) -> tuple[str, ...]:
    """Return the classes in order, position = class index: as first named in `labels`, or (otherwise, above)."""
    if threshold is not None:
        return (threshold.otherwise, threshold.above)
    return tuple(dict.fromkeys(labels.values() if isinstance(labels, Mapping) else labels or ()))


def read_labels(
    records: Records, column: str, *, labels: LabelMap, threshold: Threshold | None, may_lack: bool = False
) -> list[str]:
    """Return the class of each row, "" for none; the label in the file is stripped and in NFC, otherwise as it is.

    Raises:
        RowErrors: Rows without a label unless they `may_lack` one, or with one that is not in `labels`, several at
            once, or not a number; or a class without rows.
    """
    raw = [unicodedata.normalize("NFC", cell).strip() for cell in records.texts(column)]
    faults = Faults()
    with faults.gather():
        empty = [(row, None) for row, label in enumerate(raw) if not label]
        if empty and not may_lack:
            remedy = "Fill the labels, remove the rows, or set `unlabelled: drop`."
            raise records.fault("without a label", empty, remedy, column=column)
    with faults.gather():
        if threshold is not None:
            classes = _by_threshold(records, column, raw, threshold)
        else:
            classes = _by_name(records, column, raw, labels or ())
    faults.check()
    require_present(records, column, list_classes(labels, threshold), present=set(classes), raw=filter(None, raw))
    return classes


def require_present(
    records: Records, column: str, classes: Iterable[str], *, present: Collection[str], raw: Iterable[str]
) -> None:
    """Require each class to have a row; `present` are those that have, `raw` the labels in the file, for the message.

    Raises:
        RowErrors: A class has none.
    """
    absent = [name for name in classes if name not in present]
    if absent and records.complete:  # otherwise its rows may be among those left out
        counts = ", ".join(f"{listed([label])} ({count})" for label, count in Counter(raw).most_common(5))
        raise RowErrors(
            f"{records.file}: column {column!r}: no row of class {listed(absent)}; the commonest labels are "
            f"{counts}. Give `labels` without the class (or move `threshold`), or add rows of it."
        )


def _by_name(records: Records, column: str, raw: list[str], labels: Mapping[str, str] | Sequence[str]) -> list[str]:
    classes = map_labels(labels)
    unknown: dict[str, list[int]] = {}
    for row, label in enumerate(raw):
        if label and label not in classes:
            unknown.setdefault(label, []).append(row)
    known = {*classes, *unknown}
    several = {label: rows for label, rows in unknown.items() if _is_several(label, known)}
    faults = Faults()
    with faults.gather():
        if several:
            rows = [(row, raw[row]) for row in sorted(row for rows in several.values() for row in rows)]
            raise records.fault("with several labels in a cell", rows, SEVERAL_VALUES, column=column)
    with faults.gather():
        if unknown := {label: rows for label, rows in unknown.items() if label not in several}:
            raise refuse_unknown(records, column, unknown, labels)
    faults.check()
    return [classes[label] if label else "" for label in raw]


def map_labels(labels: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Return the class of each label of the file, in NFC."""
    pairs = labels.items() if isinstance(labels, Mapping) else zip(labels, labels, strict=True)
    return {unicodedata.normalize("NFC", label): name for label, name in pairs}


def _is_several(label: str, known: Iterable[str]) -> bool:
    """Return whether a label is a list of other labels of the file or of the params."""
    parts = [part.strip() for part in _SEPARATORS.split(label)]
    return len(parts) > 1 and all(part in known for part in parts)


def refuse_unknown(records: Records, column: str, unknown: dict[str, list[int]], labels: LabelMap) -> RowErrors:
    """Return the error about the rows by label: the five commonest, labels equal up to case and space, and the fix."""
    folded = {_fold(label): label for label in labels or ()}
    shown = []
    for label, rows in sorted(unknown.items(), key=lambda item: -len(item[1]))[:5]:
        near = folded.get(_fold(label))
        collision = f", collides with {near!r} up to case and space" if near else ""
        lines = ", ".join(map(str, records.places_of(rows[:5]))) + (f" and {len(rows) - 5} more" if rows[5:] else "")
        shown.append(f"{listed([label])} ({len(rows)} row(s), line {lines}{collision})")
    (first,) = records.places_of([min(rows[0] for rows in unknown.values())])
    count = sum(len(rows) for rows in unknown.values())
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    return RowErrors(
        f"{records.file}:{first}: column {column!r}: {count} row(s) with {len(unknown)} label(s) that are not in "
        f"`labels`: {'; '.join(shown)}{more}. Allowed: {listed(labels or (), most=20)}. "
        f"{_suggest_labels(unknown, labels or (), folded)}"
    )


def _suggest_labels(unknown: Iterable[str], labels: Mapping[str, str] | Sequence[str], folded: dict[str, str]) -> str:
    """Return the fix: all labels of the params and the file, ready to paste; a map if some differ in case or space."""
    added = sorted(unknown)
    if len(labels) + len(added) > _MOST_LABELS or any(len(label) > _LONGEST_LABEL for label in (*labels, *added)):
        most = f"at most {_MOST_LABELS} classes of at most {_LONGEST_LABEL} characters"
        return f"Name a column with {most} in `label`, or correct the rows."
    if isinstance(labels, Mapping) or any(_fold(label) in folded for label in added):
        old = labels if isinstance(labels, Mapping) else dict(zip(labels, labels, strict=True))
        whole: object = {
            **old,
            **{label: old[folded[_fold(label)]] if _fold(label) in folded else label for label in added},
        }
    else:
        whole = [*labels, *added]
    return f"Correct the rows, or set `labels: {json.dumps(whole, ensure_ascii=False)}`."


def _fold(label: str) -> str:
    return "".join(label.casefold().split())


def _by_threshold(records: Records, column: str, raw: list[str], threshold: Threshold) -> list[str]:
    remedy = "`threshold` needs finite numbers with a decimal point; for class names use `labels`."
    refuse_odd_numbers(records, column, raw, remedy=remedy)
    numbers = map(parse_number, raw)
    sides = (threshold.otherwise, threshold.above)
    return [sides[number > threshold.at] if label else "" for label, number in zip(raw, numbers, strict=True)]


def parse_number(cell: str) -> float:
    """Return the number that a cell spells with digits and a decimal point; NaN if it spells none."""
    return float(cell) if _NUMBER.fullmatch(cell) else math.nan


def refuse_odd_numbers(records: Records, column: str, raw: Sequence[str], *, remedy: str) -> None:
    """Require each cell of `raw`, (N,), to be empty or to spell a finite number.

    Raises:
        RowErrors: Some are not.
    """
    odd = [(row, cell) for row, cell in enumerate(raw) if cell and not math.isfinite(parse_number(cell))]
    if odd:
        raise records.fault("whose label is not a finite number", odd, remedy, column=column)
