"""The examples of a task out of the rows of its file, and the count of all that changed on the way."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.tables import describe
from pipeline.examples.labels import list_classes, read_labels
from pipeline.examples.records import Records
from pipeline.examples.repeats import Repeats, resolve_repeats
from pipeline.examples.splits import check_complete, read_groups, split_by_column, split_by_hash
from pipeline.examples.text import CONTROLS, is_empty, normalise, text_id, text_key
from pipeline.settings.fields import SPLITS, Split
from pipeline.settings.ingest import IngestParams

# A text on several sides of a given split stays where its loss would hurt most: in test, then in validation.
_RANK: dict[Split, int] = {"test": 0, "validation": 1, "train": 2}
_EQUAL: dict[Split, int] = dict.fromkeys(SPLITS, 0)


class Intake(NamedTuple):
    """The examples, a row each, and what intake counted, as strict JSON holds it."""

    examples: pa.Table
    counts: Document


def take_in(records: Records, params: IngestParams) -> Intake:
    """Return a task's examples in the order of the file, and their counts.

    Columns: `id`, `split`, `text` strings, `label` int64 (index among the classes in the schema), `row` int64 (line
    where the row starts, from 1), then `params.keep`, strings or null. Labels are read first, then texts, splits, and
    which rows of one text stay.

    Raises:
        DataError: Labels, texts, groups or splits break the rules of `params`, or no rows are left.
    """
    classes = list_classes(params.labels, params.threshold)
    labels = read_labels(records, params.label, labels=params.labels, threshold=params.threshold)
    texts, changed = _normalise_texts(records, params)
    filled = _find_filled(records, texts, params)
    keys = [text_key(text) for text in texts]
    ids = [text_id(key) for key in keys]
    sides = _choose_sides(records, keys, params)
    rank = _EQUAL if params.split is None else _RANK
    repeats = resolve_repeats(filled, ids=ids, labels=labels, sides=sides, policy=params.conflicts, rank=rank)
    kept = _find_kept(records, filled, sides, repeats, params)
    indices = {name: index for index, name in enumerate(classes)}
    columns = {
        "id": pa.array([ids[row] for row in kept], pa.string()),
        "split": pa.array([sides[row] for row in kept], pa.string()),
        "text": pa.array([texts[row] for row in kept], pa.string()),
        "label": pa.array([indices[labels[row]] for row in kept], pa.int64()),
        "row": records.lines.take(kept),
        **{name: _select(records.columns[name], kept) for name in params.keep},
    }
    counts = {
        "task": params.task,
        "file": params.file,
        "rows": len(texts),
        "kept": len(kept),
        "dropped": {"empty": len(texts) - len(filled), **_count_reasons(repeats)},
        "conflicts": _describe_conflicts(records, repeats),
        "changed": changed,
        "splits": _count_splits([(sides[row], labels[row]) for row in kept], classes),
    }
    # One piece a column: how a table is cut into pieces shows in the bytes of its Parquet file.
    return Intake(describe(pa.table(columns).combine_chunks(), task=params.task, labels=classes), counts)


def _normalise_texts(records: Records, params: IngestParams) -> tuple[list[str], dict[str, int]]:
    """Return the normalised texts, and in how many NFC and the blanks for controls changed something."""
    raw = records.texts(params.text)
    controls = [
        (row, control.group()) for row, text in enumerate(raw) if (control := CONTROLS.search(text)) is not None
    ]
    if controls and params.controls == "fail":
        what, remedy = "with control or zero-width characters", "Remove them, or set `controls: space`."
        raise records.fault(what, controls, remedy, column=params.text)
    composed = sum(not unicodedata.is_normalized("NFC", text) for text in raw)
    return [normalise(text) for text in raw], {"normalised": composed, "controls": len(controls)}


def _find_filled(records: Records, texts: Sequence[str], params: IngestParams) -> list[int]:
    empty = {row for row, text in enumerate(texts) if is_empty(text)}
    if empty and params.empty == "fail":
        rows, remedy = [(row, None) for row in sorted(empty)], "Fill or remove them, or set `empty: drop`."
        raise records.fault("without a visible character", rows, remedy, column=params.text)
    return [row for row in range(len(texts)) if row not in empty]


def _choose_sides(records: Records, keys: Sequence[str], params: IngestParams) -> list[Split]:
    if params.split is not None:
        return split_by_column(records, params.split)
    values = keys if params.group is None else read_groups(records, params.group)
    return split_by_hash(values, salt=params.salt, shares=params.shares)


def _find_kept(
    records: Records, filled: Sequence[int], sides: Sequence[Split], repeats: Repeats, params: IngestParams
) -> list[int]:
    if repeats.conflicts and params.conflicts == "fail":
        rows = [(row, None) for row in sorted(row for same in repeats.conflicts for row in same)]
        what, remedy = f"of {len(repeats.conflicts)} text(s) with several labels", "Correct them, or set `conflicts`."
        raise records.fault(what, rows, remedy, column=params.label)
    kept = [row for row in filled if row not in repeats.dropped]
    if not kept:
        count = len(records.lines)
        raise DataError(
            f"{records.file}: none of {count} rows is left: {count - len(filled)} are empty, "
            f"{len(repeats.dropped)} belong to texts with several labels. Correct the file, or look at `conflicts`."
        )
    if params.split is not None:
        check_complete([sides[row] for row in kept], file=records.file, column=params.split)
    return kept


def _select(column: pa.ChunkedArray, rows: Sequence[int]) -> pa.ChunkedArray:
    """Return these rows as strings, chunk by chunk: a chunk fits into the offsets of a string, the column may not."""
    return pa.chunked_array([chunk.cast(pa.string()) for chunk in column.take(rows).chunks], pa.string())


def _count_reasons(repeats: Repeats) -> dict[str, int]:
    counts = Counter(repeats.dropped.values())
    return {reason: counts[reason] for reason in ("duplicates", "conflicts", "leaks")}


def _describe_conflicts(records: Records, repeats: Repeats) -> Document:
    rows = sorted(row for same in repeats.conflicts for row in same)
    return {"texts": len(repeats.conflicts), "rows": len(rows), "lines": records.lines_of(rows[:5])}


def _count_splits(pairs: Sequence[tuple[Split, str]], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = Counter(pairs)
    return {split: {name: counts[split, name] for name in classes} for split in SPLITS}
