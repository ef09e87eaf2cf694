"""Inputs of question answering: token ids of a question and a window of its passage, as many rows as it needs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Encoding, Tokenizer

from pipeline.core.errors import DataError, UsageError, listed
from pipeline.core.tables import description, labels_of, stream_parquet, task_of
from pipeline.kinds.question_answering.settings import WindowParams
from pipeline.models.coverage import Coverage, find_unknown, measure_windows
from pipeline.models.inputs import RECORD_TOKENS, Encoded, Inputs, judge_coverage, skip_coverage
from pipeline.models.tokenizer import tells_texts_apart
from pipeline.reading.spans import Span
from pipeline.reading.windows import WindowTokenizer, find_characters, list_windows, load_windows

WINDOW_COLUMNS = {
    "id": pa.string(),
    "split": pa.string(),
    "input_ids": pa.list_(pa.int32()),
    "token_type_ids": pa.list_(pa.int32()),  # 1 in the passage if the encoder tells texts apart, else null
    "starts": pa.list_(pa.int32()),  # the character of the passage at which a token starts, or -1
    "ends": pa.list_(pa.int32()),
    "first": pa.int64(),  # the token with which the first answer begins; 0 if it is not in this window
    "last": pa.int64(),
    "context": pa.string(),  # the passage and its answers, for scores; null in train, and in all windows but the first
    "answers": pa.list_(pa.string()),
    "truncated": pa.bool_(),
}
_COLUMNS = ("id", "split", "context", "question", "answers", "starts", "row")


def find_answer(starts: Sequence[int], ends: Sequence[int], answer: Span | None) -> tuple[int, int]:
    """Return the first and the last token of an answer; (0, 0) if it is not wholly in the window, or there is none.

    `starts` and `ends` are the characters of the passage of each token, -1 outside of it.
    """
    inside = [token for token, start in enumerate(starts) if start >= 0]
    if answer is None or not inside or starts[inside[0]] > answer.start or ends[inside[-1]] < answer.end:
        return 0, 0
    own = [token for token in inside if starts[token] < answer.end and ends[token] > answer.start]
    return (own[0], own[-1]) if own else (0, 0)


def _encode(params: WindowParams, examples: Path, encoder: Path) -> Encoded:
    """Tokenise every question with the windows of its passage; memory does not grow with the examples.

    Raises:
        UsageError: The tokenizer is not one for two texts.
        DataError: Questions leave no room for a passage, or the tokenizer knows too few of the characters.
    """
    tokenizer = load_windows(encoder, max_length=params.max_length, overlap=params.overlap)
    unknown, typed = find_unknown(tokenizer.windows), tells_texts_apart(encoder)
    _require_first(tokenizer.windows, encoder)
    schema, batches = stream_parquet(examples, _COLUMNS, rows=params.batch_texts)

    def encode_batch(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Coverage]:
        coverage, table = Coverage(), batch.to_pylist()
        _require_room(tokenizer, table, params)
        encodings = tokenizer.windows.encode_batch([(row["question"], row["context"]) for row in table])
        values: list[dict[str, object]] = []
        for row, encoding in zip(table, encodings, strict=True):
            windows = list_windows(encoding)
            values += [_tabulate(row, window, index, typed=typed) for index, window in enumerate(windows)]
            coverage = coverage.add(measure_windows(windows, unknown, row["id"]))
        return pa.RecordBatch.from_pylist(values, pa.schema(WINDOW_COLUMNS.items())), coverage

    lengths = {"max_length": str(params.max_length), "stride": str(params.overlap)}
    metadata = {**description(task_of(schema), labels_of(schema)), **lengths}
    schema, rows = pa.schema(WINDOW_COLUMNS.items(), metadata), RECORD_TOKENS // params.max_length
    finish = skip_coverage if unknown is None else partial(judge_coverage, params=params)
    return Encoded(schema, rows, batches, params.batch_texts, encode_batch, finish)


def _require_first(tokenizer: Tokenizer, encoder: Path) -> None:
    if tokenizer.encode("a", "a").sequence_ids[0] is not None:
        raise UsageError(
            f"{encoder}: its tokenizer puts no token before two texts, and the first one stands for no answer. Choose "
            "another encoder."
        )


def _require_room(tokenizer: WindowTokenizer, rows: Sequence[dict[str, object]], params: WindowParams) -> None:
    room = tokenizer.room
    encodings = tokenizer.plain.encode_batch([str(row["question"]) for row in rows], add_special_tokens=False)
    long = [(row, len(encoding)) for row, encoding in zip(rows, encodings, strict=True) if len(encoding) > room]
    if long:
        raise DataError(
            f"tokenize: {params.task}: {len(long)} questions (rows {listed([row['row'] for row, _ in long])}) have "
            f"more than {room} tokens, {listed([count for _, count in long])}, and leave no room for a passage. "
            "Shorten them, raise `tokenize.max_length`, or lower `tokenize.stride`."
        )


def _tabulate(row: dict[str, object], encoding: Encoding, index: int, *, typed: bool) -> dict[str, object]:
    answers, places = row["answers"], row["starts"]
    assert isinstance(answers, list)  # noqa: S101
    assert isinstance(places, list)  # noqa: S101
    answer = Span(places[0], answers[0]) if answers else None
    starts, ends = find_characters(encoding)
    first, last = find_answer(starts, ends, answer)
    scored = row["split"] != "train" and index == 0
    return {
        "id": row["id"],
        "split": row["split"],
        "input_ids": encoding.ids,
        "token_type_ids": encoding.type_ids if typed else None,
        "starts": starts,
        "ends": ends,
        "first": first,
        "last": last,
        "context": row["context"] if scored else None,
        "answers": answers if scored else None,
        "truncated": False,  # windows leave nothing out
    }


def _summarize(table: pa.Table) -> str:
    count = pc.sum(pc.list_value_length(table["input_ids"])).as_py()
    return f"{pc.count_distinct(table['id']).as_py()} questions in {table.num_rows} windows, {count} tokens"


INPUTS = Inputs(encode=_encode, summarize=_summarize)
