"""Inputs of text classification: the token ids of one text, and the index of its class."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.tables import description, labels_of, stream_parquet, task_of
from pipeline.models.coverage import Coverage, find_unknown, measure_coverage, require_coverage
from pipeline.models.inputs import Encoded, Inputs
from pipeline.models.tokenizer import encode, load_tokenizer
from pipeline.settings.task import TokenizeParams

# The most token ids of a record batch: 32 MiB of memory. Its length in rows depends on `max_length` alone.
RECORD_TOKENS = 2**23
TOKEN_COLUMNS = {
    "id": pa.string(),
    "split": pa.string(),
    "labels": pa.int64(),
    "input_ids": pa.list_(pa.int32()),
    "truncated": pa.bool_(),
}


def _encode(params: TokenizeParams, examples: Path, encoder: Path) -> Encoded:
    """Tokenise every example; memory does not grow with them.

    Raises:
        DataError: The tokenizer knows too few of the texts' characters; raised after the last batch.
    """
    tokenizer = load_tokenizer(encoder, max_length=params.max_length)
    unknown = find_unknown(tokenizer)
    schema, rows = stream_parquet(examples, ("id", "split", "label", "text"), rows=params.batch_texts)

    def batches() -> Iterator[pa.RecordBatch]:
        coverage = Coverage()
        for batch, input_ids, truncated in encode(tokenizer, rows, max_length=params.max_length):
            if unknown is not None:
                part = measure_coverage(
                    tokenizer, batch, input_ids, truncated, unknown=unknown, max_length=params.max_length
                )
                coverage = coverage.add(part)
            columns = [batch["id"], batch["split"], batch["label"], input_ids, truncated]
            yield pa.record_batch(columns, list(TOKEN_COLUMNS))
        require_coverage(coverage, task=params.task, most=params.max_unknown_share)
        print(coverage.describe())

    metadata = {**description(task_of(schema), labels_of(schema)), "max_length": str(params.max_length)}
    return Encoded(pa.schema(TOKEN_COLUMNS.items(), metadata), batches(), RECORD_TOKENS // params.max_length)


def _summarize(table: pa.Table) -> str:
    count = pc.sum(pc.list_value_length(table["input_ids"])).as_py()
    return f"{table.num_rows} examples, {count} tokens, {pc.sum(table['truncated']).as_py()} cut"


INPUTS = Inputs(encode=_encode, summarize=_summarize)
