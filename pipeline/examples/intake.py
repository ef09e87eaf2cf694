"""The examples of a task out of the rows of its file, and the count of all that changed on the way."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.tables import describe_features, description, infer_features
from pipeline.examples.faults import Faults
from pipeline.examples.labels import apply_corrections
from pipeline.examples.records import Records
from pipeline.examples.repeats import Repeats, resolve_repeats
from pipeline.examples.splits import check_complete, deal_validation, read_groups, split_by_column, split_by_hash
from pipeline.examples.text import text_id
from pipeline.settings.fields import SPLITS, Split
from pipeline.settings.ingest import IngestParams

# An example on several sides of a given split stays where its loss would hurt most: in test, then in validation.
_RANK: dict[Split, int] = {"test": 0, "validation": 1, "train": 2}
_EQUAL: dict[Split, int] = dict.fromkeys(SPLITS, 0)


class Parsed(NamedTuple):
    """The rows of a file as a kind understands them, N each.

    Args:
        values: What an example is made of beside its label, by the kind's own names.
        keys: What equal examples share: their id and their split follow from it.
        labels: What was said of an example, None if nothing; equal if the same was said, in any hashable form.
        empty: Rows that hold no example.
        changed: Counts of what was changed on reading.
        target: The column of the labels, for messages.
        together: What examples that stay in one split share, if that is more than being equal and no group is named.
    """

    values: Mapping[str, Sequence[Any]]
    keys: Sequence[str]
    labels: Sequence[Any]
    empty: set[int]
    changed: Document
    target: str
    together: Sequence[str] | None = None


class Examples(NamedTuple):
    """How rows of a raw file become examples of one kind.

    Args:
        classes: `classes(params)` are the names of the classes, in order; none if the kind has no classes.
        parse: `parse(records, params, faults)` reads the rows, and gathers what is wrong with them in `faults`; what
            it then returns is not used.
        tabulate: `tabulate(params, values, labels)` are the columns of the examples between `split` and `row`, of the
            rows that are left.
        parse_label: `parse_label(params, words)` is the label that a person has written as a correction, None if it is
            none.
        name_classes: `name_classes(label)` are the classes that a label names, for the counts; one empty name if the
            kind has no classes.
        indices: The column of `tabulate` that holds indices of classes, or lists of them; None if none does.
    """

    classes: Callable[[Any], tuple[str, ...]]
    parse: Callable[[Records, Any, Faults], Parsed]
    tabulate: Callable[[Any, Mapping[str, Sequence[Any]], Sequence[Any]], Mapping[str, pa.Array]]
    parse_label: Callable[[Any, str], Any]
    name_classes: Callable[[Any], Iterable[str]]
    indices: str | None


class Intake(NamedTuple):
    """The examples, a row each, and what intake counted, as strict JSON holds it."""

    examples: pa.Table
    counts: Document


def take_in(records: Records, params: IngestParams, kind: Examples) -> Intake:
    """Return a task's examples in the order of the file, and their counts.

    Columns: `id`, `split` strings, those of the kind, `row` int64 (line of its file where the row starts, from 1), of
    several files `file` (string, the name of the row's), then `params.keep`, strings or null. The schema says what
    they hold, to the library `datasets` too.

    Raises:
        DataError: Rows have faults, or break the rules of `params` for examples, groups and splits (all of these at
            once); or a correction is no class, conflicts may not be, or no rows are left.
    """
    classes = kind.classes(params)
    rows, sides = _parse_rows(records, params, kind)
    ids = [text_id(key) for key in rows.keys]
    corrected = apply_corrections(
        params.corrected,
        file=params.corrections or "corrections",
        ids=ids,
        labels=rows.labels,
        classes=classes,
        parse=partial(kind.parse_label, params),
    )
    labels = corrected.labels
    left_out = rows.empty | corrected.removed
    filled = [row for row, label in enumerate(labels) if label is not None and row not in left_out]
    is_given = params.split is not None or isinstance(params.files, dict)
    rank = _RANK if is_given else _EQUAL
    repeats = resolve_repeats(filled, ids=ids, labels=labels, sides=sides, policy=params.conflicts, rank=rank)
    kept = _find_kept(records, filled, repeats, params, target=rows.target)
    if is_given:
        check_complete([sides[row] for row in kept], file=records.file)
    values = {name: [column[row] for row in kept] for name, column in rows.values.items()}
    columns = {
        "id": pa.array([ids[row] for row in kept], pa.string()),
        "split": pa.array([sides[row] for row in kept], pa.string()),
        **kind.tabulate(params, values, [labels[row] for row in kept]),
        "row": _take_whole(records.lines, kept),
        **({"file": pa.array(records.files_of(kept), pa.string())} if params.files else {}),
        **{name: _take_whole(records.columns[name], kept).cast(pa.string()) for name in params.keep},
    }
    unlabelled = sum(label is None for row, label in enumerate(labels) if row not in left_out)
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
        "changed": rows.changed,
        "splits": _count_splits(
            [(sides[row], name) for row in kept for name in kind.name_classes(labels[row])], classes or ("",)
        ),
    }
    examples = pa.table(columns)
    features = infer_features(examples.schema, {kind.indices: classes} if kind.indices else {})
    metadata = description(params.task, classes) | describe_features(features)
    return Intake(examples.replace_schema_metadata(metadata), counts)


def _take_whole(column: pa.ChunkedArray, rows: Sequence[int]) -> pa.ChunkedArray:
    """Return these rows in one piece: how a table is cut into pieces shows in the bytes of its Parquet file."""
    return pa.table({"": column.take(rows)}).combine_chunks().column(0)


def _parse_rows(records: Records, params: IngestParams, kind: Examples) -> tuple[Parsed, list[Split]]:
    """Return the rows and their splits, each row checked on its own; all kinds of faults are raised together.

    Raises:
        RowErrors: Rows have faults, or break the rules for examples, groups and splits.
    """
    faults = Faults(records.faults)
    rows, sides = kind.parse(records, params, faults), list[Split]()
    with faults.gather():
        sides = _choose_sides(records, rows.together or rows.keys, params)
    faults.check()
    return rows, sides


def _choose_sides(records: Records, keys: Sequence[str], params: IngestParams) -> list[Split]:
    sides = records.sides() if params.split is None else split_by_column(records, params.split)
    if sides is None:
        values = keys if params.group is None else read_groups(records, params.group)
        return split_by_hash(values, salt=params.salt, shares=params.shares)
    if "validation" in sides or "test" not in sides:
        return sides
    return deal_validation(sides, keys, salt=params.salt, shares=params.shares)


def _find_kept(
    records: Records, filled: Sequence[int], repeats: Repeats, params: IngestParams, *, target: str
) -> list[int]:
    if repeats.conflicts and params.conflicts == "fail":
        rows = [(row, None) for row in sorted(row for same in repeats.conflicts for row in same)]
        what, remedy = f"of {len(repeats.conflicts)} text(s) with several labels", "Correct them, or set `conflicts`."
        raise records.fault(what, rows, remedy, column=target)
    kept = [row for row in filled if row not in repeats.dropped]
    if not kept:
        count = len(records.lines)
        raise DataError(
            f"{records.file}: none of {count} rows is left: {count - len(filled)} have no text, no label, or were "
            f"removed by corrections, {len(repeats.dropped)} belong to texts with several labels. Correct the file, "
            "or look at `conflicts`."
        )
    return kept


def _count_reasons(repeats: Repeats) -> dict[str, int]:
    counts = Counter(repeats.dropped.values())
    return {reason: counts[reason] for reason in ("duplicates", "conflicts", "leaks")}


def _describe_conflicts(records: Records, repeats: Repeats) -> Document:
    rows = sorted(row for same in repeats.conflicts for row in same)
    return {"texts": len(repeats.conflicts), "rows": len(rows), "lines": records.places_of(rows[:5])}


def _count_splits(pairs: Sequence[tuple[Split, str]], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = Counter(pairs)
    return {split: {name: counts[split, name] for name in classes} for split in SPLITS}
