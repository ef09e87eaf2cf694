"""From the label in the file to its class: by name or by threshold, nothing guessed."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.core.errors import DataError, listed
from pipeline.examples.records import Records, fault
from pipeline.settings.ingest import Threshold

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def names(labels: Mapping[str, str] | Sequence[str] | None, threshold: Threshold | None) -> tuple[str, ...]:
    """Return the classes in order, position = class index: as first named in `labels`, or (otherwise, above)."""
    if threshold is not None:
        return (threshold.otherwise, threshold.above)
    values = labels.values() if isinstance(labels, Mapping) else labels or ()
    return tuple(dict.fromkeys(values))


def read_labels(
    records: Records, column: str, *, labels: Mapping[str, str] | Sequence[str] | None, threshold: Threshold | None
) -> list[str]:
    """Return the class of every row; the label in the file is stripped and in NFC, and otherwise taken as it is.

    Raises:
        DataError: Rows without a label, with one that is not in `labels` or not a number, or a class without rows.
    """
    raw = [unicodedata.normalize("NFC", cell or "").strip() for cell in records.columns[column]]
    empty = [(line, None) for line, label in zip(records.lines, raw, strict=True) if not label]
    if empty:
        raise fault(records.file, "without a label", empty, "Fill the labels, or remove the rows.", column=column)
    if threshold is not None:
        found = _by_threshold(records, column, raw, threshold)
    else:
        found = _by_name(records, column, raw, labels or ())
    present = set(found)
    absent = [name for name in names(labels, threshold) if name not in present]
    if absent:
        counts = ", ".join(f"{label!r} ({count})" for label, count in Counter(raw).most_common(5))
        raise DataError(
            f"{records.file}: column {column!r}: no row of class {listed(absent)}; the commonest labels are "
            f"{counts}. Take the class out of `labels` (or move `threshold`), or bring rows of it."
        )
    return found


def _by_name(records: Records, column: str, raw: list[str], labels: Mapping[str, str] | Sequence[str]) -> list[str]:
    pairs = labels.items() if isinstance(labels, Mapping) else zip(labels, labels, strict=True)
    classes = {unicodedata.normalize("NFC", label): name for label, name in pairs}
    unknown: dict[str, list[int]] = {}
    for line, label in zip(records.lines, raw, strict=True):
        if label not in classes:
            unknown.setdefault(label, []).append(line)
    if unknown:
        raise _unknown(records.file, column, unknown, tuple(classes))
    return [classes[label] for label in raw]


def _unknown(file: str, column: str, unknown: dict[str, list[int]], allowed: Sequence[str]) -> DataError:
    folded = {_folded(label): label for label in allowed}
    shown = []
    for label, lines in sorted(unknown.items(), key=lambda item: -len(item[1]))[:5]:
        near = folded.get(_folded(label))
        collision = f", collides with {near!r} up to case and space" if near else ""
        shown.append(f"{listed([label])} ({len(lines)} row(s), line {listed(lines)}{collision})")
    first = min(lines[0] for lines in unknown.values())
    count = sum(len(lines) for lines in unknown.values())
    return DataError(
        f"{file}:{first}: column {column!r}: {count} row(s) with {len(unknown)} label(s) that are not in `labels`: "
        f"{'; '.join(shown)}. Allowed: {listed(allowed, most=20)}. Add them to `labels`, or correct the rows."
    )


def _folded(label: str) -> str:
    return "".join(label.casefold().split())


def _by_threshold(records: Records, column: str, raw: list[str], threshold: Threshold) -> list[str]:
    numbers = [float(label) if _NUMBER.fullmatch(label) else math.nan for label in raw]
    rows = zip(records.lines, raw, numbers, strict=True)
    bad = [(line, label) for line, label, number in rows if not math.isfinite(number)]
    if bad:
        remedy = "`threshold` needs finite numbers with a decimal point; for class names use `labels`."
        raise fault(records.file, "whose label is not a finite number", bad, remedy, column=column)
    return [threshold.above if number > threshold.at else threshold.otherwise for number in numbers]
