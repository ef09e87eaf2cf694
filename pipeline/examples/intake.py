"""From the rows of a raw file to a task's examples, and the count of everything that changed on the way."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.core.errors import DataError
from pipeline.core.tables import described
from pipeline.examples import labels, splits
from pipeline.examples.records import Records, fault
from pipeline.examples.repeats import Settled, settle
from pipeline.examples.text import CONTROLS, identity, is_empty, key, normalise
from pipeline.settings.fields import SPLITS, Split
from pipeline.settings.ingest import IngestParams

# A text on several sides of a given split stays where its loss would hurt most: in test, then in validation.
_RANK: dict[Split, int] = {"test": 0, "validation": 1, "train": 2}
_EQUAL: dict[Split, int] = dict.fromkeys(SPLITS, 0)


class Intake(NamedTuple):
    """The examples, a row each, and what intake counted, as strict JSON will hold it."""

    examples: pa.Table
    counts: dict[str, Any]


def take_in(records: Records, params: IngestParams) -> Intake:
    """Return a task's examples in the order of the file, and their counts.

    Columns: `id`, `split`, `text` strings, `label` int64 (index among the classes in the schema), `row` int64 (line
    where the row starts, from 1), then `params.keep`, strings or null. Labels are settled first, then texts, splits,
    and which rows of one text stay.

    Raises:
        DataError: Labels, texts, groups or splits break the rules of `params`, or no rows are left.
    """
    classes = labels.names(params.labels, params.threshold)
    named = labels.read_labels(records, params.label, labels=params.labels, threshold=params.threshold)
    texts, changed = _texts(records, params)
    filled = _filled(records, texts, params)
    keys = [key(text) for text in texts]
    ids = [identity(text_key) for text_key in keys]
    sides = _sides(records, keys, params)
    rank = _EQUAL if params.split is None else _RANK
    settled = settle(filled, ids=ids, labels=named, sides=sides, policy=params.conflicts, rank=rank)
    kept = _kept(records, filled, sides, settled, params)
    indices = [classes.index(name) for name in named]
    columns = {"id": ids, "split": sides, "text": texts, "label": indices, "row": records.lines}
    columns |= {name: records.columns[name] for name in params.keep}
    counts = {
        "task": params.task,
        "file": params.file,
        "rows": len(texts),
        "kept": len(kept),
        "dropped": {"empty": len(texts) - len(filled), **_reasons(settled)},
        "conflicts": _conflicts(records, settled),
        "changed": changed,
        "splits": _splits([(sides[row], named[row]) for row in kept], classes),
    }
    return Intake(described(_table(columns, kept), task=params.task, labels=classes), counts)


def _texts(records: Records, params: IngestParams) -> tuple[list[str], dict[str, int]]:
    """Return the normalised texts, and in how many NFC and the blanks for controls changed something."""
    raw = [cell or "" for cell in records.columns[params.text]]
    controls = [
        (line, found.group())
        for line, text in zip(records.lines, raw, strict=True)
        if (found := CONTROLS.search(text)) is not None
    ]
    if controls and params.controls == "fail":
        what, remedy = "with control or zero-width characters", "Remove them, or set `controls: space`."
        raise fault(records.file, what, controls, remedy, column=params.text)
    composed = sum(not unicodedata.is_normalized("NFC", text) for text in raw)
    return [normalise(text) for text in raw], {"normalised": composed, "controls": len(controls)}


def _filled(records: Records, texts: Sequence[str], params: IngestParams) -> list[int]:
    empty = {row for row, text in enumerate(texts) if is_empty(text)}
    if empty and params.empty == "fail":
        found = [(records.lines[row], None) for row in sorted(empty)]
        remedy = "Fill or remove them, or set `empty: drop`."
        raise fault(records.file, "without a visible character", found, remedy, column=params.text)
    return [row for row in range(len(texts)) if row not in empty]


def _sides(records: Records, keys: Sequence[str], params: IngestParams) -> list[Split]:
    if params.split is not None:
        return splits.by_column(records, params.split)
    values = keys if params.group is None else splits.groups(records, params.group)
    return splits.by_hash(values, salt=params.salt, shares=params.shares)


def _kept(
    records: Records, filled: Sequence[int], sides: Sequence[Split], settled: Settled, params: IngestParams
) -> list[int]:
    if settled.conflicts and params.conflicts == "fail":
        lines = sorted(records.lines[row] for rows in settled.conflicts for row in rows)
        what, remedy = f"of {len(settled.conflicts)} text(s) with several labels", "Correct them, or set `conflicts`."
        raise fault(records.file, what, [(line, None) for line in lines], remedy, column=params.label)
    kept = [row for row in filled if row not in settled.dropped]
    if not kept:
        raise DataError(
            f"{records.file}: none of {len(records.lines)} rows is left: {len(records.lines) - len(filled)} are empty, "
            f"{len(settled.dropped)} belong to texts with several labels. Correct the file, or look at `conflicts`."
        )
    if params.split is not None:
        splits.check_complete([sides[row] for row in kept], file=records.file, column=params.split)
    return kept


def _table(columns: dict[str, Any], kept: Sequence[int]) -> pa.Table:
    kinds = {name: pa.int64() if name in ("label", "row") else pa.string() for name in columns}
    arrays = [pa.array([column[row] for row in kept], kinds[name]) for name, column in columns.items()]
    return pa.Table.from_arrays(arrays, schema=pa.schema(list(kinds.items())))


def _reasons(settled: Settled) -> dict[str, int]:
    counts = Counter(settled.dropped.values())
    return {reason: counts[reason] for reason in ("duplicates", "conflicts", "leaks")}


def _conflicts(records: Records, settled: Settled) -> dict[str, Any]:
    lines = sorted(records.lines[row] for rows in settled.conflicts for row in rows)
    return {"texts": len(settled.conflicts), "rows": len(lines), "lines": lines[:5]}


def _splits(pairs: Sequence[tuple[Split, str]], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = Counter(pairs)
    return {split: {name: counts[split, name] for name in classes} for split in SPLITS}
