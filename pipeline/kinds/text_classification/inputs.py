"""Inputs of text classification: the token ids of a text, a pair or a text in windows, and the index of its class."""

from functools import partial
from pathlib import Path

import pyarrow as pa

from pipeline.core.tables import description, labels_of, stream_parquet, task_of
from pipeline.kinds.text_classification.settings import TextTokenizeParams
from pipeline.models.coverage import Coverage, find_unknown, measure_windows
from pipeline.models.inputs import (
    RECORD_TOKENS,
    Encoded,
    Inputs,
    encode_task,
    find_first_windows,
    judge_coverage,
    skip_coverage,
    summarize_tokens,
    window_stride,
)
from pipeline.models.tokenizer import load_tokenizer

_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "split": pa.string(),
        "labels": pa.int64(),
        "input_ids": pa.list_(pa.int32()),
        "truncated": pa.bool_(),  # never: windows leave nothing out
    }
)


def _encode(params: TextTokenizeParams, examples: Path, encoder: Path) -> Encoded:
    if params.windows is None:
        return encode_task(params, examples, encoder, label="label", holds=pa.int64())
    return _encode_windows(params, params.windows.stride, examples, encoder)


def _encode_windows(params: TextTokenizeParams, stride: int, examples: Path, encoder: Path) -> Encoded:
    """Return the token ids of the windows of each text, a row each; memory does not grow with the examples.

    Raises:
        DataError: The tokenizer knows too few of the texts' characters; raised after the last batch.
    """
    tokenizer = load_tokenizer(encoder, max_length=params.max_length)
    tokenizer.enable_truncation(params.max_length, stride=stride)
    unknown = find_unknown(tokenizer)
    schema, batches = stream_parquet(examples, ("id", "split", "label", "text"), rows=params.batch_texts)

    def encode_batch(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Coverage]:
        coverage = Coverage()
        values: list[dict[str, object]] = []
        encodings = tokenizer.encode_batch(batch["text"].to_pylist())
        for row, encoding in zip(batch.to_pylist(), encodings, strict=True):
            windows = [encoding, *encoding.overflowing]
            own = {"id": row["id"], "split": row["split"], "labels": row["label"], "truncated": False}
            values += [{**own, "input_ids": window.ids} for window in windows]
            coverage = coverage.add(measure_windows(windows, unknown, row["id"]))
        return pa.RecordBatch.from_pylist(values, _SCHEMA), coverage

    metadata = {**description(task_of(schema), labels_of(schema)), "max_length": str(params.max_length)}
    schema = _SCHEMA.with_metadata(metadata | {"windows": str(stride)})
    finish = skip_coverage if unknown is None else partial(judge_coverage, params=params)
    return Encoded(schema, RECORD_TOKENS // params.max_length, batches, params.batch_texts, encode_batch, finish)


def _summarize(table: pa.Table) -> str:
    if window_stride(table) is None:
        return summarize_tokens(table)
    texts = len(find_first_windows(table["id"].to_pylist()))
    return f"{texts} texts in {table.num_rows} windows"


INPUTS = Inputs(encode=_encode, summarize=_summarize)
