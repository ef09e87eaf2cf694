"""Checks of token classification: of sentences and documents, of tags, and of both against a reference."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.drift import profile_split
from pipeline.checks.duplicates import mark_shared
from pipeline.checks.measures import (
    MOST_LINES,
    Checks,
    Measure,
    count_split_rows,
    measure_drift,
    measure_intake,
    measure_near_duplicates,
    measure_patterns,
    ratio,
    tabulate_measures,
)
from pipeline.checks.suite import (
    Check,
    bound_measure,
    limit_measure,
    list_change_checks,
    list_class_checks,
    list_drift_checks,
    list_row_checks,
    list_share_checks,
    list_split_checks,
    list_text_checks,
)
from pipeline.core.document import Document
from pipeline.core.tables import labels_of
from pipeline.examples.records import places_of
from pipeline.examples.text import text_key
from pipeline.settings.shared.texts import LabelledTextChecksParams
from pipeline.tagging.schemes import is_bio, list_types, parse_tag, to_bio
from pipeline.tagging.scores import list_tagged_spans

_COLUMNS = {
    "id": "string",
    "split": "string",
    "words": "list<element: string>",
    "tags": "list<element: int64>",
    "document": "string",
    "row": "int64",
}
_GIVEN = ("id", "split", "text", "row")


def _with_text(table: pa.Table) -> pa.Table:
    """Return the examples with the words of each as one text."""
    texts = [" ".join(word or "" for word in words or ()) for words in table["words"].to_pylist()]
    return table.append_column("text", pa.array(texts, pa.string()))


def _fits(words: Sequence[str] | None, tags: Sequence[int | None] | None, classes: Sequence[str]) -> bool:
    """Return whether each word has the index of a class, and the tags follow each other as BIO allows."""
    if words is None or tags is None or len(words) != len(tags):
        return False
    if not all(tag is not None and 0 <= tag < len(classes) for tag in tags):
        return False
    parsed = [parse_tag(classes[tag or 0], "bio") for tag in tags] if is_bio(classes) else []
    return not to_bio([tag for tag in parsed if tag], "bio").illegal


def _count_types(table: pa.Table) -> Counter[str]:
    """Return the spans of each type in train."""
    classes = labels_of(table)
    train = table.filter(pc.equal(table["split"], "train"))
    rows = (
        [classes[tag] if tag is not None and 0 <= tag < len(classes) else "O" for tag in tags or ()]
        for tags in train["tags"].to_pylist()
    )
    return Counter(span.type for tags in rows for span in list_tagged_spans(tags, bio=is_bio(classes)))


def _profile(table: pa.Table) -> Document:
    """Return the profile of train: its sentences, the share of each type of span, and the lengths."""
    train = _with_text(table.filter(pc.equal(table["split"], "train")))
    types, counts = list_types(labels_of(table)), _count_types(table)
    whole = counts.total()
    shares = {kind: counts[kind] / whole if whole else 0.0 for kind in types}
    return {**profile_split(train["text"].to_pylist(), [None] * train.num_rows, types), "label_shares": shares}


def _frames(table: pa.Table, present: Mapping[str, Any], measures: Mapping[str, Measure]) -> dict[str, pa.Table]:
    texts, classes, counts = _with_text(table), labels_of(table), _count_types(table)
    shares, splits = present["label_shares"], table["split"].to_pylist()
    by_id = mark_shared(table["id"].to_pylist(), splits)
    by_text = mark_shared([text_key(text) for text in texts["text"].to_pylist()], splits)
    rows = zip(table["words"].to_pylist(), table["tags"].to_pylist(), strict=True)
    columns = {
        "leaked": [one or other for one, other in zip(by_id, by_text, strict=True)],
        "tagged": [_fits(words, tags, classes) for words, tags in rows],
    }
    examples = texts.select([name for name in (*_GIVEN, "file") if name in texts.column_names])
    for name, values in columns.items():
        examples = examples.append_column(name, pa.array(values, pa.bool_()))
    spans = pa.array([counts[kind] for kind in shares], pa.int64())
    return {
        "examples": examples,
        "splits": count_split_rows(table),
        "classes": pa.table({"name": [*shares], "rows": spans, "share": [*shares.values()]}),
        "measures": tabulate_measures(measures),
    }


def _measure(
    table: pa.Table, intake: Mapping[str, Any], params: LabelledTextChecksParams, present: Mapping[str, Any]
) -> dict[str, Measure]:
    texts, widened = _with_text(table), intake["changed"].get("widened", {"rows": 0, "lines": []})
    return {
        **measure_patterns(texts),
        **measure_intake(intake),
        "widened_share": Measure(ratio(widened["rows"], intake["rows"]), widened["rows"], tuple(widened["lines"])),
        "near_share": measure_near_duplicates(texts, params),
        "document_leak": _measure_document_leak(table),
        **measure_drift(params, present),
    }


def _measure_document_leak(table: pa.Table) -> Measure:
    """Return the share of held-out sentences whose document has others in train."""
    in_train = pc.equal(table["split"], "train")
    held_out = table.filter(pc.invert(in_train))
    known = pc.unique(table.filter(in_train)["document"].drop_null())
    leaked = held_out.filter(pc.is_in(held_out["document"], value_set=known))
    places = (place for place in places_of(leaked) if place is not None)
    return Measure(ratio(leaked.num_rows, held_out.num_rows), leaked.num_rows, tuple(islice(places, MOST_LINES)))


def _list_checks(params: LabelledTextChecksParams, classes: Sequence[str]) -> list[Check]:
    remedy = "keep the sentences of a document together: `ingest.group`, or a map of `files`"
    return [
        *list_row_checks(_GIVEN),
        Check("tagged", "Every word has a tag, in a legal order", "critical", "examples",
              f"an index from 0 to {len(classes) - 1} for each word, I- only after B- or I- of its type",
              "run `dvc repro` to create the examples again", "expect_column_values_to_be_in_set",
              {"column": "tagged", "value_set": [True]}),
        *list_text_checks(params),
        *list_split_checks(params),
        *list_class_checks(params),
        *list_share_checks(params),
        bound_measure("document_leak", "Share of held-out rows whose document is in train", "warning", 0.0, remedy),
        *list_change_checks(params),
        limit_measure(params, "max_changed_share", "widened_share", "Share of texts with spans widened to whole words",
                      "mark whole words"),
        *list_drift_checks(params),
    ]  # fmt: skip


CHECKS = Checks(columns=lambda _: _COLUMNS, profile=_profile, measure=_measure, frames=_frames, suite=_list_checks)
