"""Checks of question answering: of passages, of questions, of answers at their places, and against a reference."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.drift import label_drift, length_drift, profile_split
from pipeline.checks.duplicates import mark_shared
from pipeline.checks.measures import (
    MOST_LINES,
    NO_REFERENCE,
    Checks,
    Measure,
    count_split_rows,
    measure_intake,
    measure_near_duplicates,
    measure_patterns,
    ratio,
    tabulate_measures,
)
from pipeline.checks.suite import (
    Check,
    limit_measure,
    list_change_checks,
    list_row_checks,
    list_share_checks,
    list_split_checks,
    list_text_checks,
)
from pipeline.core.document import Document
from pipeline.core.tables import labels_of
from pipeline.examples.records import places_of
from pipeline.examples.text import count_words, text_key
from pipeline.kinds.question_answering.settings import ReadingChecksParams

_COLUMNS = {
    "id": "string",
    "split": "string",
    "context": "string",
    "question": "string",
    "answers": "list<element: string>",
    "starts": "list<element: int64>",
    "row": "int64",
}
_RERUN = "run `dvc repro` to create the examples again"


def _with_text(table: pa.Table) -> pa.Table:
    """Return the examples with the passage as their text."""
    return table.append_column("text", table["context"])


def _fits(context: str | None, answers: list[str] | None, starts: list[int] | None) -> bool:
    """Return whether each answer is at its place in the passage."""
    if context is None or answers is None or starts is None or len(answers) != len(starts):
        return False
    return all(answer and context.startswith(answer, start) for answer, start in zip(answers, starts, strict=True))


def _profile(table: pa.Table) -> Document:
    """Return the profile of train: its questions, the share with and without an answer, and the words of passages."""
    train, classes = table.filter(pc.equal(table["split"], "train")), labels_of(table)
    return profile_split(
        train["context"].to_pylist(), [classes[not own] for own in train["answers"].to_pylist()], classes
    )


def _frames(table: pa.Table, present: Mapping[str, Any], measures: Mapping[str, Measure]) -> dict[str, pa.Table]:
    splits, texts = table["split"].to_pylist(), table["context"].to_pylist()
    by_passage = mark_shared([None if text is None else text_key(text) for text in texts], splits)
    answers = table["answers"].to_pylist()
    rows = zip(texts, answers, table["starts"].to_pylist(), strict=True)
    columns: dict[str, tuple[list[Any], pa.DataType]] = {
        "leaked": (list(by_passage), pa.bool_()),
        "in_place": ([_fits(*row) for row in rows], pa.bool_()),
        "answer_words": ([max(map(count_words, own or ()), default=0) for own in answers], pa.int64()),
    }
    kept = [name for name in ("id", "split", "context", "question", "row", "file") if name in table.column_names]
    examples = _with_text(table.select(kept))
    for name, (values, kind) in columns.items():
        examples = examples.append_column(name, pa.array(values, kind))
    shares = present["label_shares"]
    counts = [round(share * present["rows"]) for share in shares.values()]
    return {
        "examples": examples,
        "splits": count_split_rows(table),
        "classes": pa.table({"name": [*shares], "rows": pa.array(counts, pa.int64()), "share": [*shares.values()]}),
        "measures": tabulate_measures(measures),
    }


def _measure(
    table: pa.Table, intake: Mapping[str, Any], params: ReadingChecksParams, present: Mapping[str, Any]
) -> dict[str, Measure]:
    passages, moved, reference = _with_text(table), intake["changed"]["moved"], params.reference
    first = {text: row for row, text in reversed(list(enumerate(table["context"].to_pylist())))}
    apart = passages.take(pa.array(sorted(first.values()), pa.int64()))  # a passage counts once
    none = table.filter(pc.equal(pc.list_value_length(table["answers"]), 0))
    places = islice((place for place in places_of(none) if place is not None), MOST_LINES)
    drifts = (label_drift, length_drift)
    return {
        **measure_patterns(passages),
        **measure_intake(intake),
        "near_share": measure_near_duplicates(apart, params),
        "moved_share": Measure(ratio(moved["rows"], intake["rows"]), moved["rows"], tuple(moved["lines"])),
        "unanswerable_share": Measure(ratio(none.num_rows, table.num_rows), none.num_rows, tuple(places)),
        **{
            drift.__name__: Measure(None, reason=NO_REFERENCE)
            if reference is None
            else Measure(drift(present, reference))
            for drift in drifts
        },
    }


def _list_checks(params: ReadingChecksParams, _classes: tuple[str, ...]) -> list[Check]:
    accept = f"look for the cause; if the drift is intended, run `python -m pipeline accept {params.task}`"
    return [
        *list_row_checks(("id", "split", "context", "question", "row")),
        Check("answer_in_place", "Every answer is at its place", "critical", "examples",
              "the characters of the passage from its start on", _RERUN,
              "expect_column_values_to_be_in_set", {"column": "in_place", "value_set": [True]}),
        *list_text_checks(params),
        Check("short_question", "Questions long enough", "warning", "examples",
              f"at least {params.min_chars} characters", "correct the questions, or lower `validate.min_chars`",
              "expect_column_value_lengths_to_be_between", {"column": "question", "min_value": params.min_chars}),
        Check("long_answer", "Answers short enough", "warning", "examples", f"at most {params.max_answer_words} words",
              "shorten the answers: a model gives 30 tokens at most; or raise `validate.max_answer_words`",
              "expect_column_values_to_be_between", {"column": "answer_words", "max_value": params.max_answer_words}),
        *list_split_checks(params),
        limit_measure(params, "max_unanswerable_share", "unanswerable_share", "Share of questions without an answer",
                      "add questions with answers"),
        limit_measure(params, "max_moved_share", "moved_share", "Share of questions with an answer moved to its place",
                      "correct the offsets: they count characters of the passage, not bytes or UTF-16 units"),
        *list_share_checks(params),
        *list_change_checks(params),
        limit_measure(params, "max_label_drift", "label_drift", "Share of unanswerable questions against the reference",
                      accept),
        limit_measure(params, "max_length_drift", "length_drift", "Passage lengths against the reference", accept),
    ]  # fmt: skip


CHECKS = Checks(columns=lambda _: _COLUMNS, profile=_profile, measure=_measure, frames=_frames, suite=_list_checks)
