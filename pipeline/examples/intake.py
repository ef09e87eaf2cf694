"""The examples of a task out of the rows of its file, and the count of all that changed on the way."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.tables import describe
from pipeline.examples.corrections import apply_corrections
from pipeline.examples.faults import Faults
from pipeline.examples.labels import list_classes, read_labels
from pipeline.examples.records import Records
from pipeline.examples.repeats import Repeats, resolve_repeats
from pipeline.examples.splits import check_complete, deal_validation, read_groups, split_by_column, split_by_hash
from pipeline.examples.text import CHANGES, CONTROLS, is_empty, normalise, text_id, text_key
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
    of its file where the row starts, from 1), of several files `file` (string, the name of the row's), then
    `params.keep`, strings or null.

    Raises:
        DataError: Rows have faults, or break the rules of `params` for labels, texts, groups and splits (all of these
            at once); or a correction is no class, conflicts may not be, or no rows are left.
    """
    classes = list_classes(params.labels, params.threshold)
    rows = _read_rows(records, params)
    ids, sides = [text_id(key) for key in rows.keys], rows.sides
    corrected = apply_corrections(
        params.corrected, file=params.corrections or "corrections", ids=ids, labels=rows.labels, classes=classes
    )
    labels = corrected.labels
    left_out = rows.empty | corrected.removed
    filled = [row for row, label in enumerate(labels) if label and row not in left_out]
    is_given = params.split is not None or isinstance(params.files, dict)
    rank = _RANK if is_given else _EQUAL
    repeats = resolve_repeats(filled, ids=ids, labels=labels, sides=sides, policy=params.conflicts, rank=rank)
    kept = _find_kept(records, filled, repeats, params)
    if is_given:
        check_complete([sides[row] for row in kept], file=records.file)
    indices = {name: index for index, name in enumerate(classes)}
    columns = {
        "id": pa.array([ids[row] for row in kept], pa.string()),
        "split": pa.array([sides[row] for row in kept], pa.string()),
        "text": pa.array([rows.texts[row] for row in kept], pa.string()),
        "label": pa.array([indices[labels[row]] for row in kept], pa.int64()),
        "row": records.lines.take(kept),
        **({"file": pa.array(records.files_of(kept), pa.string())} if params.files else {}),
        **{name: records.columns[name].take(kept).cast(pa.string()) for name in params.keep},
    }
    unlabelled = sum(not label for row, label in enumerate(labels) if row not in left_out)
    counts = {
        "task": params.task,
        "file": params.file,
        **({"files": {part.name: part.rows for part in records.parts}} if params.files else {}),
        "rows": len(labels),
        "kept": len(kept),
        "dropped": {
            "empty": len(rows.empty),
            "removed": len(corrected.removed - rows.empty),
            "unlabelled": unlabelled,
            **_count_reasons(repeats),
        },
        "corrections": corrected.counts,
        "conflicts": _describe_conflicts(records, repeats),
        "changed": _count_changes(records, rows.raw),
        "splits": _count_splits([(sides[row], labels[row]) for row in kept], classes),
    }
    # One piece a column: how a table is cut into pieces shows in the bytes of its Parquet file.
    return Intake(describe(pa.table(columns).combine_chunks(), task=params.task, labels=classes), counts)


class _Rows(NamedTuple):
    """The rows of a file, lists (N,): texts as in the file and normalised, their keys, classes ("" for none), splits.

    `empty` are the rows whose text has no visible character.
    """

    raw: list[str]
    texts: list[str]
    keys: list[str]
    labels: list[str]
    sides: list[Split]
    empty: set[int]


def _read_rows(records: Records, params: IngestParams) -> _Rows:
    """Return the rows, each checked on its own; all kinds of faults are raised together.

    Raises:
        RowErrors: Rows have faults, or break the rules for labels, texts, groups and splits.
    """
    faults = Faults(records.faults)
    raw = _join_texts(records, params.text)
    texts = [normalise(text) for text in raw]
    rows = _Rows(raw, texts, [text_key(text) for text in texts], [], [], set())
    with faults.gather():
        may_lack = params.unlabelled == "drop"
        labels = read_labels(records, params.label, labels=params.labels, threshold=params.threshold, may_lack=may_lack)
        rows = rows._replace(labels=labels)
    with faults.gather():
        _check_controls(records, raw, params)
    with faults.gather():
        rows = rows._replace(empty=_find_empty(records, texts, params))
    with faults.gather():
        rows = rows._replace(sides=_choose_sides(records, rows.keys, params))
    faults.check()
    return rows


def _join_texts(records: Records, columns: Sequence[str]) -> list[str]:
    """Return the text of each row: that of its column or, if there are several, those that are not blank, by lines."""
    cells = [records.texts(column) for column in columns]
    if len(cells) == 1:
        return cells[0]
    return ["\n".join(cell for cell in row if cell.strip()) for row in zip(*cells, strict=True)]


def _check_controls(records: Records, raw: Sequence[str], params: IngestParams) -> None:
    if params.controls == "fail":
        controls = [(row, found.group()) for row, text in enumerate(raw) if (found := CONTROLS.search(text))]
        if controls:
            what, remedy = "with control or zero-width characters", "Remove them, or set `controls: space`."
            raise records.fault(what, controls, remedy, column=" + ".join(params.text))


def _find_empty(records: Records, texts: Sequence[str], params: IngestParams) -> set[int]:
    empty = {row for row, text in enumerate(texts) if is_empty(text)}
    if empty and params.empty == "fail":
        rows, remedy = [(row, None) for row in sorted(empty)], "Fill or remove them, or set `empty: drop`."
        raise records.fault("without a visible character", rows, remedy, column=" + ".join(params.text))
    return empty


def _choose_sides(records: Records, keys: Sequence[str], params: IngestParams) -> list[Split]:
    sides = records.sides() if params.split is None else split_by_column(records, params.split)
    if sides is None:
        values = keys if params.group is None else read_groups(records, params.group)
        return split_by_hash(values, salt=params.salt, shares=params.shares)
    if "validation" in sides or "test" not in sides:
        return sides
    return deal_validation(sides, keys, salt=params.salt, shares=params.shares)


def _find_kept(records: Records, filled: Sequence[int], repeats: Repeats, params: IngestParams) -> list[int]:
    if repeats.conflicts and params.conflicts == "fail":
        rows = [(row, None) for row in sorted(row for same in repeats.conflicts for row in same)]
        what, remedy = f"of {len(repeats.conflicts)} text(s) with several labels", "Correct them, or set `conflicts`."
        raise records.fault(what, rows, remedy, column=params.label)
    kept = [row for row in filled if row not in repeats.dropped]
    if not kept:
        count = len(records.lines)
        raise DataError(
            f"{records.file}: none of {count} rows is left: {count - len(filled)} have no text, no label, or were "
            f"removed by corrections, {len(repeats.dropped)} belong to texts with several labels. Correct the file, "
            "or look at `conflicts`."
        )
    return kept


def _count_changes(records: Records, raw: Sequence[str]) -> Document:
    """Return how many texts each change of `normalise` touched, and the lines of the first; none shows a text."""
    changed = {name: [row for row, text in enumerate(raw) if touches(text)] for name, touches in CHANGES.items()}
    return {name: {"rows": len(rows), "lines": records.places_of(rows[:5])} for name, rows in changed.items()}


def _count_reasons(repeats: Repeats) -> dict[str, int]:
    counts = Counter(repeats.dropped.values())
    return {reason: counts[reason] for reason in ("duplicates", "conflicts", "leaks")}


def _describe_conflicts(records: Records, repeats: Repeats) -> Document:
    rows = sorted(row for same in repeats.conflicts for row in same)
    return {"texts": len(repeats.conflicts), "rows": len(rows), "lines": records.places_of(rows[:5])}


def _count_splits(pairs: Sequence[tuple[Split, str]], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = Counter(pairs)
    return {split: {name: counts[split, name] for name in classes} for split in SPLITS}
