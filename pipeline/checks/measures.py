"""The input of the suite: the frames of the examples, and the measures that no single row shows."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.checks.chunks import Chunks, select_train
from pipeline.checks.drift import label_drift, length_drift, profile_chunks
from pipeline.checks.measure import Measure, measure_failed, measure_listed, ratio
from pipeline.checks.near.held_out import measure_near_duplicates
from pipeline.checks.pairs import join_pairs, measure_shared
from pipeline.checks.rows import FailedRows, count_failures, count_values, matches
from pipeline.checks.suite import BROKEN, ESCAPED, Check
from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, EnvironmentFault, listed
from pipeline.core.tables import labels_of
from pipeline.settings.fields import SPLITS
from pipeline.settings.shared.texts import PAIR, DriftChecksParams

NO_REFERENCE = "no reference yet"


class Checks(NamedTuple):
    """The checks of the examples of one kind; the suite and the frames are those of `checks.suite`.

    No function may keep more than some bytes of a row.

    Args:
        columns: `columns(params)` are the columns of the examples, in order, with their types as Arrow names them.
        profile: `profile(chunks)` is the profile of the train split, a reference of drift once it is accepted.
        measure: `measure(chunks, intake, params, profile)` are the numbers of the frame `measures`, by name, but for
            those of the tests of rows.
        frames: `frames(chunks, profile)` are the other frames.
        suite: `suite(params, classes)` are the checks of examples whose schema is right, the most telling first.
        keys: The columns of which no value may be in two splits; a `text` is the same if its `text_key` is.
        derive: `derive(chunks)` are the examples with the columns that all of these need.
    """

    columns: Callable[[Any], Mapping[str, str]]
    profile: Callable[[Chunks], Document]
    measure: Callable[[Chunks, Mapping[str, Any], Any, Document], dict[str, Measure]]
    frames: Callable[[Chunks, Document], dict[str, pa.Table]]
    suite: Callable[[Any, tuple[str, ...]], list[Check]]
    keys: tuple[str, ...] = ("id", "text")
    derive: Callable[[Chunks], Chunks] = lambda chunks: chunks


def build_schema_frames(schema: pa.Schema, own: Mapping[str, str]) -> dict[str, pa.Table]:
    """Return the frames `header` (no rows) and `schema` (name, type and expected type of each column)."""
    types = [str(kind) for kind in schema.types]
    expected = [own.get(name, "string") for name in schema.names]
    return {
        "header": schema.empty_table(),
        "schema": pa.table({"name": schema.names, "type": types, "expected": expected}),
    }


def build_frames(chunks: Chunks, present: Mapping[str, Any]) -> dict[str, pa.Table]:
    """Return the frames `splits` and `classes`; `present` is the profile of train."""
    shares = present["label_shares"]
    counts = count_values(select_train(chunks), "label", "train rows of each label")
    rows = [counts[index] for index in range(len(shares))]
    return {"splits": count_split_rows(chunks), "classes": tabulate_class_rows(rows, shares)}


def tabulate_class_rows(rows: Iterable[int], shares: Mapping[str, float]) -> pa.Table:
    """Return the frame `classes`."""
    counts = pa.array(rows, pa.int64())
    return pa.table({"name": [*shares], "rows": counts, "share": pa.array(shares.values(), pa.float64())})


def count_split_rows(chunks: Chunks) -> pa.Table:
    """Return the frame `splits`."""
    counts = count_values(chunks, "split", "rows of each split")
    return pa.table({"name": SPLITS, "rows": pa.array([counts[split] for split in SPLITS], pa.int64())})


def tabulate_measures(measures: Mapping[str, Measure]) -> pa.Table:
    """Return the frame `measures`."""
    return pa.table({name: pa.array([measure.value], pa.float64()) for name, measure in measures.items()})


def profile_train(chunks: Chunks) -> Document:
    """Return the profile of the train rows of the examples."""
    classes = labels_of(chunks.schema)
    names = dict(enumerate(classes))  # an index that is missing or of no class has none

    def read(chunk: pa.Table) -> tuple[list[str | None], list[str | None]]:
        return chunk["text"].to_pylist(), [names.get(index) for index in chunk["label"].to_pylist()]

    return profile_chunks(join_pairs(select_train(chunks)), ("text", "label"), read, classes)


def measure_rows(suite: Iterable[Check], chunks: Chunks) -> dict[str, Measure]:
    """Return how many rows fail each check of rows, by its name; no number if nothing was there to judge."""
    tests = {check.check: check.test for check in suite if check.test}
    return {name: _count_rows(failed) for name, failed in count_failures(chunks, tests, question="suite").items()}


def _count_rows(failed: FailedRows) -> Measure:
    values = listed(value for value in dict.fromkeys(failed.values) if value is not None)
    shown = f"{failed.rows} of {failed.total} rows" + (f": {values}" if values else "")
    return Measure(float(failed.rows) if failed.judged else None, failed.rows, failed.lines, shown=shown)


def measure_examples(
    chunks: Chunks, intake: Mapping[str, Any], params: DriftChecksParams, present: Mapping[str, Any]
) -> dict[str, Measure]:
    """Return every number of the frame `measures` by name.

    Raises:
        EnvironmentFault: `intake` lacks a key that the stage ingest writes.
        UsageError: The reference profile is of another version.
    """
    whole = join_pairs(chunks)
    return {
        **measure_patterns(whole),
        **measure_intake(intake),
        "near_share": measure_near_duplicates(whole, params),
        **({"shared_share": measure_shared(chunks)} if PAIR in chunks.schema.names else {}),
        **measure_drift(params, present),
    }


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


def measure_patterns(chunks: Chunks) -> dict[str, Measure]:
    """Return the shares of texts with broken characters, and of those that a former tool has escaped."""
    tests = {name: matches("text", pattern) for name, pattern in {"broken_share": BROKEN, **ESCAPED}.items()}
    return {name: measure_failed(failed) for name, failed in count_failures(chunks, tests, question="patterns").items()}


def measure_drift(params: DriftChecksParams, present: Mapping[str, Any]) -> dict[str, Measure]:
    """Return the distances to the reference, or why there are none."""
    if params.reference is None:
        return dict.fromkeys(("label_drift", "length_drift"), Measure(None, reason=NO_REFERENCE))
    return {
        "label_drift": Measure(label_drift(present, params.reference)),
        "length_drift": Measure(length_drift(present, params.reference)),
    }
