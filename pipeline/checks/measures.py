"""The input of the suite: the frames of the examples, and the measures that no single row shows."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.drift import label_drift, length_drift, profile_split
from pipeline.checks.duplicates import find_near_duplicates, mark_shared
from pipeline.checks.suite import BROKEN, ESCAPED, EXAMPLE_COLUMNS, Check
from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.core.tables import labels_of
from pipeline.examples.pairs import second_texts, whole_texts
from pipeline.examples.records import Place, places_of
from pipeline.examples.text import text_key
from pipeline.settings.fields import SPLITS
from pipeline.settings.shared.texts import PAIR, DriftChecksParams, TextChecksParams

MOST_LINES = 5
NO_REFERENCE = "no reference yet"


class Measure(NamedTuple):
    """A number with the rows behind it: how many, and the lines of the first.

    `reason` says why there is no number, or what may be missing in it.
    """

    value: float | None
    rows: int = 0
    lines: tuple[Place, ...] = ()
    reason: str | None = None


class Checks(NamedTuple):
    """The checks of the examples of one kind; the suite and the frames are those of `checks.suite`.

    Args:
        columns: `columns(params)` are the columns of the examples, in order, with their types as Arrow names them.
        profile: `profile(table)` is the profile of the train split, a reference of drift once it is accepted.
        measure: `measure(table, intake, params, profile)` are the numbers of the frame `measures`, by name.
        frames: `frames(table, profile, measures)` are the frames.
        suite: `suite(params, classes)` are the checks of examples whose schema is right, the most telling first.
    """

    columns: Callable[[Any], Mapping[str, str]]
    profile: Callable[[pa.Table], Document]
    measure: Callable[[pa.Table, Mapping[str, Any], Any, Document], dict[str, Measure]]
    frames: Callable[[pa.Table, Document, Mapping[str, Measure]], dict[str, pa.Table]]
    suite: Callable[[Any, tuple[str, ...]], list[Check]]


def build_schema_frames(table: pa.Table, own: Mapping[str, str]) -> dict[str, pa.Table]:
    """Return the frames `header` (no rows) and `schema` (name, type and expected type of each column)."""
    names = table.column_names
    types = [str(kind) for kind in table.schema.types]
    expected = [own.get(name, "string") for name in names]
    return {"header": table.slice(0, 0), "schema": pa.table({"name": names, "type": types, "expected": expected})}


def build_frames(table: pa.Table, present: Mapping[str, Any], measures: Mapping[str, Measure]) -> dict[str, pa.Table]:
    """Return the frames `examples`, `splits`, `classes` and `measures`; `present` is the profile of train."""
    shares = present["label_shares"]
    train = table.filter(_equal(table, "split", "train"))
    columns = [name for name in (*EXAMPLE_COLUMNS, PAIR, "file") if name in table.column_names]
    counts = [pc.sum(_equal(train, "label", index)).as_py() or 0 for index in range(len(shares))]
    return {
        "examples": table.select(columns).append_column("leaked", pa.array(mark_leaks(table), pa.bool_())),
        "splits": count_split_rows(table),
        "classes": pa.table({"name": [*shares], "rows": pa.array(counts, pa.int64()), "share": [*shares.values()]}),
        "measures": tabulate_measures(measures),
    }


def count_split_rows(table: pa.Table) -> pa.Table:
    """Return the frame `splits`."""
    rows = [pc.sum(_equal(table, "split", split)).as_py() or 0 for split in SPLITS]
    return pa.table({"name": SPLITS, "rows": pa.array(rows, pa.int64())})


def tabulate_measures(measures: Mapping[str, Measure]) -> pa.Table:
    """Return the frame `measures`."""
    return pa.table({name: pa.array([measure.value], pa.float64()) for name, measure in measures.items()})


def profile_train(table: pa.Table) -> Document:
    """Return the profile of the train rows of the examples."""
    train = table.filter(_equal(table, "split", "train"))
    return profile_split(whole_texts(train), _label_names(train), labels_of(table))


def measure_examples(
    table: pa.Table, intake: Mapping[str, Any], params: DriftChecksParams, present: Mapping[str, Any]
) -> dict[str, Measure]:
    """Return every number of the frame `measures` by name.

    Raises:
        EnvironmentFault: `intake` lacks a key that the stage ingest writes.
        UsageError: The reference profile is of another version.
    """
    seconds, whole = second_texts(table), table
    if seconds is not None:
        texts = pa.array(whole_texts(table), pa.string())
        whole = table.set_column(table.column_names.index("text"), "text", texts)
    return {
        **measure_patterns(whole),
        **measure_intake(intake),
        "near_share": measure_near_duplicates(whole, params),
        **({} if seconds is None else {"shared_share": measure_shared(table)}),
        **measure_drift(params, present),
    }


def ratio(part: int, whole: int) -> float:
    """Return `part / whole`; 1.0 if `whole` is 0, so that an empty table fails the check instead of passing it."""
    return part / whole if whole else 1.0


def measure_intake(intake: Mapping[str, Any]) -> dict[str, Measure]:
    """Return the shares of rows that ingest has removed from the examples, and of texts that it has changed."""
    try:
        rows, changed = intake["rows"], intake["changed"]
        misread = measure_listed(changed["misread"], rows)
        return {
            **measure_dropped(intake),
            "misread_share": misread,
            "misread_any": misread,
            "trimmed_share": measure_listed(changed["trimmed"], rows),
            "control_share": measure_listed(changed["controls"], rows),
            "normalised_share": measure_listed(changed["normalised"], rows),
        }
    except (KeyError, TypeError) as error:
        raise EnvironmentFault(f"intake: not as ingest writes it, {error!r}. {REPRODUCE}") from error


def measure_dropped(intake: Mapping[str, Any]) -> dict[str, Measure]:
    """Return the shares of rows that ingest has removed from the examples, and of corrections that no longer fit."""
    try:
        rows, dropped = intake["rows"], intake["dropped"]
        given, stale = intake["corrections"]["given"], intake["corrections"]["stale"]["count"]
        return {
            "conflict_share": measure_listed(intake["conflicts"], rows),
            "duplicate_share": Measure(ratio(dropped["duplicates"], rows), dropped["duplicates"]),
            **{f"{name}_share": Measure(ratio(dropped[name], rows), dropped[name]) for name in ("empty", "unlabelled")},
            "stale_share": Measure(stale / given if given else 0.0, stale),
        }
    except (KeyError, TypeError) as error:
        raise EnvironmentFault(f"intake: not as ingest writes it, {error!r}. {REPRODUCE}") from error


def measure_listed(part: Mapping[str, Any], rows: int) -> Measure:
    """Return the share that some rows, which ingest has counted and listed, are of all."""
    return Measure(ratio(part["rows"], rows), part["rows"], tuple(part["lines"][:MOST_LINES]))


def measure_patterns(table: pa.Table) -> dict[str, Measure]:
    """Return the shares of texts with broken characters, and of those that a former tool has escaped."""
    return {
        name: _measure_rows(
            table.filter(pc.fill_null(pc.match_substring_regex(table["text"], pattern), fill_value=False)),
            table.num_rows,
        )
        for name, pattern in {"broken_share": BROKEN, **ESCAPED}.items()
    }


def measure_near_duplicates(table: pa.Table, params: TextChecksParams) -> Measure:
    """Return the share of held-out rows, those of validation and test, that have a near duplicate in train."""
    rows = table.filter(pc.is_valid(table["text"]))
    in_train = _equal(rows, "split", "train")
    train, held_out = rows.filter(in_train), rows.filter(pc.invert(in_train))
    duplicates = find_near_duplicates(
        train["text"].to_pylist(),
        held_out["text"].to_pylist(),
        similarity=params.near_similarity,
        shingle=params.near_shingle,
    )
    measure = _measure_rows(held_out.take(pa.array(duplicates.positions, pa.int64())), held_out.num_rows)
    if not duplicates.cut:
        return measure
    return measure._replace(reason=f"{duplicates.cut} train texts have too many like them to compare with all")


def measure_shared(table: pa.Table) -> Measure:
    """Return the share of held-out pairs, those of validation and test, with a text that a pair of train has too."""
    keys = [
        {text_key(text) for text in pair if text is not None}
        for pair in zip(table["text"].to_pylist(), table[PAIR].to_pylist(), strict=True)
    ]
    splits = table["split"].to_pylist()
    known = {key for own, split in zip(keys, splits, strict=True) if split == "train" for key in own}
    held_out = [row for row, split in enumerate(splits) if split != "train"]
    shared = [row for row in held_out if keys[row] & known]
    return _measure_rows(table.take(pa.array(shared, pa.int64())), len(held_out))


def measure_drift(params: DriftChecksParams, present: Mapping[str, Any]) -> dict[str, Measure]:
    """Return the distances to the reference, or why there are none."""
    if params.reference is None:
        return dict.fromkeys(("label_drift", "length_drift"), Measure(None, reason=NO_REFERENCE))
    return {
        "label_drift": Measure(label_drift(present, params.reference)),
        "length_drift": Measure(length_drift(present, params.reference)),
    }


def _measure_rows(rows: pa.Table, whole: int) -> Measure:
    """Return the share that `rows` are of `whole` rows, with their count and first lines."""
    places = (place for place in places_of(rows) if place is not None)
    return Measure(ratio(rows.num_rows, whole), rows.num_rows, tuple(islice(places, MOST_LINES)))


def mark_leaks(table: pa.Table) -> list[bool]:
    """Return for each row whether its id or its text (by its `text_key`) occurs in more than one split.

    Of pairs that is both texts.
    """
    splits = table["split"].to_pylist()
    columns = [table[name].to_pylist() for name in ("text", PAIR) if name in table.column_names]
    keys = [None if None in texts else tuple(map(text_key, texts)) for texts in zip(*columns, strict=True)]
    by_id, by_text = mark_shared(table["id"].to_pylist(), splits), mark_shared(keys, splits)
    return [same_id or same_text for same_id, same_text in zip(by_id, by_text, strict=True)]


def _label_names(table: pa.Table) -> list[str | None]:
    """Return the class name of each row; None for an index that is missing or of no class."""
    names = dict(enumerate(labels_of(table)))
    return [names.get(index) for index in table["label"].to_pylist()]


def _equal(table: pa.Table, column: str, value: str | int) -> pa.ChunkedArray:
    """Return the mask of rows with `value` in `column`; a missing value is no match."""
    return pc.fill_null(pc.equal(table[column], value), fill_value=False)
