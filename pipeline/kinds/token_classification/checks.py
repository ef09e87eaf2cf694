"""Checks of token classification: of sentences and documents, of tags, and of both against a reference."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.chunks import Chunks, select_train
from pipeline.checks.drift import profile_chunks, read_unlabelled
from pipeline.checks.measure import Measure, measure_failed, ratio
from pipeline.checks.measures import (
    Checks,
    count_split_rows,
    measure_drift,
    measure_intake,
    measure_patterns,
    tabulate_class_rows,
)
from pipeline.checks.near.held_out import measure_near_duplicates
from pipeline.checks.rows import RowTest, count_failures
from pipeline.checks.suite import (
    Check,
    bound_measure,
    check_rows,
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


def _with_text(chunks: Chunks) -> Chunks:
    """Return the examples with the words of each as one text."""
    return chunks.derive("text", ("words",), _join_words)


def _join_words(chunk: pa.Table) -> pa.Array:
    texts = [" ".join(word or "" for word in words or ()) for words in chunk["words"].to_pylist()]
    return pa.array(texts, pa.string())


def _fits(words: Sequence[str] | None, tags: Sequence[int | None] | None, classes: Sequence[str]) -> bool:
    """Return whether each word has the index of a class, and the tags follow each other as BIO allows."""
    if words is None or tags is None or len(words) != len(tags):
        return False
    if not all(tag is not None and 0 <= tag < len(classes) for tag in tags):
        return False
    parsed = [parse_tag(classes[tag or 0], "bio") for tag in tags] if is_bio(classes) else []
    return not to_bio([tag for tag in parsed if tag], "bio").illegal


def _is_ill_tagged(classes: Sequence[str]) -> RowTest:
    """Return the test that fails rows whose tags do not fit (see `_fits`)."""

    def fails(chunk: pa.Table) -> pa.Array:
        rows = zip(chunk["words"].to_pylist(), chunk["tags"].to_pylist(), strict=True)
        return pa.array([not _fits(words, tags, classes) for words, tags in rows], pa.bool_())

    return RowTest(("words", "tags"), fails)


def _count_types(chunks: Chunks) -> Counter[str]:
    """Return the spans of each type in train."""
    classes = labels_of(chunks.schema)

    def count(chunk: pa.Table) -> dict[str, int]:
        rows = (
            [classes[tag] if tag is not None and 0 <= tag < len(classes) else "O" for tag in tags or ()]
            for tags in chunk["tags"].to_pylist()
        )
        return Counter(span.type for tags in rows for span in list_tagged_spans(tags, bio=is_bio(classes)))

    return sum(map(Counter, select_train(chunks).compute_json("types of spans", ("tags",), count)), Counter())


def _profile(chunks: Chunks) -> Document:
    """Return the profile of train: its sentences, the share of each type of span, and the lengths."""
    types, counts = list_types(labels_of(chunks.schema)), _count_types(chunks)
    whole = counts.total()
    shares = {kind: counts[kind] / whole if whole else 0.0 for kind in types}
    return {**profile_chunks(select_train(chunks), ("text",), read_unlabelled, types), "label_shares": shares}


def _frames(chunks: Chunks, present: Mapping[str, Any]) -> dict[str, pa.Table]:
    shares, counts = present["label_shares"], _count_types(chunks)
    spans = [counts[kind] for kind in shares]
    return {"splits": count_split_rows(chunks), "classes": tabulate_class_rows(spans, shares)}


def _measure(
    chunks: Chunks, intake: Mapping[str, Any], params: LabelledTextChecksParams, present: Mapping[str, Any]
) -> dict[str, Measure]:
    widened = intake["changed"].get("widened", {"rows": 0, "lines": []})
    return {
        **measure_patterns(chunks),
        **measure_intake(intake),
        "widened_share": Measure(ratio(widened["rows"], intake["rows"]), widened["rows"], tuple(widened["lines"])),
        "near_share": measure_near_duplicates(chunks, params),
        "document_leak": _measure_document_leak(chunks),
        **measure_drift(params, present),
    }


def _measure_document_leak(chunks: Chunks) -> Measure:
    """Return the share of held-out sentences whose document has others in train."""
    documents = {document for document in select_train(chunks).values("document") if document is not None}
    known = pa.array(sorted(documents), pa.string())
    held_out = chunks.filter(("split",), lambda chunk: pc.not_equal(chunk["split"], "train"))
    leak = RowTest(("document",), lambda chunk: pc.is_in(chunk["document"], value_set=known))
    return measure_failed(count_failures(held_out, {"leak": leak})["leak"])


def _list_checks(params: LabelledTextChecksParams, classes: Sequence[str]) -> list[Check]:
    remedy = "keep the sentences of a document together: `ingest.group`, or a map of `files`"
    return [
        *list_row_checks(_GIVEN),
        check_rows("tagged", "Every word has a tag, in a legal order",
                   f"an index from 0 to {len(classes) - 1} for each word, I- only after B- or I- of its type",
                   "run `dvc repro` to create the examples again", _is_ill_tagged(classes)),
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


CHECKS = Checks(
    columns=lambda _: _COLUMNS,
    profile=_profile,
    measure=_measure,
    frames=_frames,
    suite=_list_checks,
    derive=_with_text,
)
