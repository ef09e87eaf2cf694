"""Checks of question answering: of passages, of questions, of answers at their places, and against a reference."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.checks.chunks import Chunks, select_train
from pipeline.checks.drift import label_drift, length_drift, profile_chunks
from pipeline.checks.keys import find_first, hash_keys, join_hashes
from pipeline.checks.measure import Measure, measure_failed, ratio
from pipeline.checks.measures import (
    NO_REFERENCE,
    Checks,
    count_split_rows,
    measure_intake,
    measure_patterns,
    tabulate_class_rows,
)
from pipeline.checks.near.held_out import measure_near_duplicates
from pipeline.checks.rows import RowTest, count_failures, is_shorter
from pipeline.checks.suite import (
    Check,
    check_rows,
    limit_measure,
    list_change_checks,
    list_row_checks,
    list_share_checks,
    list_split_checks,
    list_text_checks,
)
from pipeline.core.document import Document
from pipeline.core.tables import labels_of
from pipeline.examples.text import count_words
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


def _with_text(chunks: Chunks) -> Chunks:
    """Return the examples with the passage as their text."""
    return chunks.derive("text", ("context",), lambda chunk: chunk["context"])


def _fits(context: str | None, answers: list[str] | None, starts: list[int] | None) -> bool:
    """Return whether each answer is at its place in the passage."""
    if context is None or answers is None or starts is None or len(answers) != len(starts):
        return False
    return all(answer and context.startswith(answer, start) for answer, start in zip(answers, starts, strict=True))


def _is_out_of_place(chunk: pa.Table) -> pa.Array:
    rows = zip(*(chunk[name].to_pylist() for name in ("context", "answers", "starts")), strict=True)
    return pa.array([not _fits(*row) for row in rows], pa.bool_())


def _is_unanswerable(chunk: pa.Table) -> pa.Array:
    return pc.equal(pc.list_value_length(chunk["answers"]), 0)


def _has_long_answer(most: int) -> RowTest:
    """Return the test that fails rows with an answer of more than `most` words."""

    def fails(chunk: pa.Table) -> pa.Array:
        answers = chunk["answers"].to_pylist()
        return pa.array([max(map(count_words, own or ()), default=0) > most for own in answers], pa.bool_())

    return RowTest(("answers",), fails)


def _profile(chunks: Chunks) -> Document:
    """Return the profile of train: its questions, the share with and without an answer, and the words of passages."""
    classes = labels_of(chunks.schema)

    def read(chunk: pa.Table) -> tuple[list[str | None], list[str]]:
        return chunk["text"].to_pylist(), [classes[not own] for own in chunk["answers"].to_pylist()]

    return profile_chunks(select_train(chunks), ("text", "answers"), read, classes)


def _frames(chunks: Chunks, present: Mapping[str, Any]) -> dict[str, pa.Table]:
    shares = present["label_shares"]
    counts = [round(share * present["rows"]) for share in shares.values()]
    return {"splits": count_split_rows(chunks), "classes": tabulate_class_rows(counts, shares)}


def _measure(
    chunks: Chunks, intake: Mapping[str, Any], params: ReadingChecksParams, present: Mapping[str, Any]
) -> dict[str, Measure]:
    moved, reference = intake["changed"]["moved"], params.reference
    none = count_failures(chunks, {"none": RowTest(("answers",), _is_unanswerable)})["none"]
    drifts = (label_drift, length_drift)
    return {
        **measure_patterns(chunks),
        **measure_intake(intake),
        "near_share": measure_near_duplicates(_list_passages(chunks), params),
        "moved_share": Measure(ratio(moved["rows"], intake["rows"]), moved["rows"], tuple(moved["lines"])),
        "unanswerable_share": measure_failed(none),
        **{
            drift.__name__: Measure(None, reason=NO_REFERENCE)
            if reference is None
            else Measure(drift(present, reference))
            for drift in drifts
        },
    }


def _list_passages(chunks: Chunks) -> Chunks:
    """Return the first example of each passage."""
    hashes = join_hashes(hash_keys(chunk["text"].to_pylist()) for chunk in chunks.read("text"))
    return chunks.mark("first", find_first(hashes)).filter(("first",), lambda chunk: chunk["first"])


def _list_checks(params: ReadingChecksParams, _classes: tuple[str, ...]) -> list[Check]:
    accept = f"look for the cause; if the drift is intended, run `python -m pipeline accept {params.task}`"
    return [
        *list_row_checks(("id", "split", "context", "question", "row")),
        check_rows("answer_in_place", "Every answer is at its place", "the characters of the passage from its start on",
                   _RERUN, RowTest(("context", "answers", "starts"), _is_out_of_place)),
        *list_text_checks(params),
        check_rows("short_question", "Questions long enough", f"at least {params.min_chars} characters",
                   "correct the questions, or lower `validate.min_chars`",
                   is_shorter("question", params.min_chars), severity="warning"),
        check_rows("long_answer", "Answers short enough", f"at most {params.max_answer_words} words",
                   "shorten the answers: a model gives 30 tokens at most; or raise `validate.max_answer_words`",
                   _has_long_answer(params.max_answer_words), severity="warning"),
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


CHECKS = Checks(
    columns=lambda _: _COLUMNS, profile=_profile, measure=_measure, frames=_frames, suite=_list_checks, keys=("text",),
    derive=_with_text,
)  # fmt: skip
