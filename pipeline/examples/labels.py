"""The class of each row, from the label in the file: by name or by threshold, nothing guessed."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.core.errors import DataError, listed
from pipeline.examples.records import Records
from pipeline.settings.ingest import Threshold

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)

Labels = Mapping[str, str] | Sequence[str] | None  # classes by label, or the labels that are classes


def list_classes(labels: Labels, threshold: Threshold | None) -> tuple[str, ...]:
    """Return the classes in order, position = class index: as first named in `labels`, or (otherwise, above)."""
    if threshold is not None:
        return (threshold.otherwise, threshold.above)
    return tuple(dict.fromkeys(labels.values() if isinstance(labels, Mapping) else labels or ()))


def read_labels(records: Records, column: str, *, labels: Labels, threshold: Threshold | None) -> list[str]:
    """Return the class of each row; the label in the file is stripped and in NFC, and otherwise taken as it is.

    Raises:
        DataError: Rows without a label, with one that is not in `labels` or not a number, or a class without rows.
    """
    raw = [unicodedata.normalize("NFC", cell).strip() for cell in records.texts(column)]
    empty = [(row, None) for row, label in enumerate(raw) if not label]
    if empty:
        raise records.fault("without a label", empty, "Fill the labels, or remove the rows.", column=column)
    if threshold is not None:
        classes = _by_threshold(records, column, raw, threshold)
    else:
        classes = _by_name(records, column, raw, labels or ())
    present = set(classes)
    absent = [name for name in list_classes(labels, threshold) if name not in present]
    if absent:
        counts = ", ".join(f"{label!r} ({count})" for label, count in Counter(raw).most_common(5))
        raise DataError(
            f"{records.file}: column {column!r}: no row of class {listed(absent)}; the commonest labels are "
            f"{counts}. Take the class out of `labels` (or move `threshold`), or bring rows of it."
        )
    return classes


def _by_name(records: Records, column: str, raw: list[str], labels: Mapping[str, str] | Sequence[str]) -> list[str]:
    pairs = labels.items() if isinstance(labels, Mapping) else zip(labels, labels, strict=True)
    classes = {unicodedata.normalize("NFC", label): name for label, name in pairs}
    unknown: dict[str, list[int]] = {}
    for row, label in enumerate(raw):
        if label not in classes:
            unknown.setdefault(label, []).append(row)
    if unknown:
        raise _unknown(records, column, unknown, tuple(classes))
    return [classes[label] for label in raw]


def _unknown(records: Records, column: str, unknown: dict[str, list[int]], allowed: Sequence[str]) -> DataError:
    """Return the error about the rows by label: the five commonest, and labels equal up to case and space."""
    folded = {_fold(label): label for label in allowed}
    shown = []
    for label, rows in sorted(unknown.items(), key=lambda item: -len(item[1]))[:5]:
        near = folded.get(_fold(label))
        collision = f", collides with {near!r} up to case and space" if near else ""
        lines = listed(records.lines_of(rows))
        shown.append(f"{listed([label])} ({len(rows)} row(s), line {lines}{collision})")
    (first,) = records.lines_of([min(rows[0] for rows in unknown.values())])
    count = sum(len(rows) for rows in unknown.values())
    return DataError(
        f"{records.file}:{first}: column {column!r}: {count} row(s) with {len(unknown)} label(s) that are not in "
        f"`labels`: {'; '.join(shown)}. Allowed: {listed(allowed, most=20)}. Add them to `labels`, or correct the rows."
    )


def _fold(label: str) -> str:
    return "".join(label.casefold().split())


def _by_threshold(records: Records, column: str, raw: list[str], threshold: Threshold) -> list[str]:
    numbers = [float(label) if _NUMBER.fullmatch(label) else math.nan for label in raw]
    odd = [(row, raw[row]) for row, number in enumerate(numbers) if not math.isfinite(number)]
    if odd:
        remedy = "`threshold` needs finite numbers with a decimal point; for class names use `labels`."
        raise records.fault("whose label is not a finite number", odd, remedy, column=column)
    return [threshold.above if number > threshold.at else threshold.otherwise for number in numbers]
