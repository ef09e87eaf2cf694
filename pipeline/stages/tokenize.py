"""tokenize: examples -> tokens, ragged token ids in one columnar file."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import description, labels_of, read_arrow, regroup, stream_parquet, task_of, write_arrow
from pipeline.models.coverage import Coverage, find_unknown, measure_coverage, require_coverage
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


def run(params: TokenizeParams, *, examples: In, findings: Gate, encoder: In, tokens: Out) -> None:
    """Tokenise every example of every split with the encoder's tokenizer; memory does not grow with the examples.

    Raises:
        DataError: The tokenizer knows too few of the texts' characters.
    """
    tokenizer = load_tokenizer(encoder, max_length=params.max_length)
    unknown, coverage = find_unknown(tokenizer), Coverage()
    schema, rows = stream_parquet(examples, ("id", "split", "label", "text"), rows=params.batch_texts)

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal coverage
        for batch, input_ids, truncated in encode(tokenizer, rows, max_length=params.max_length):
            if unknown is not None:
                part = measure_coverage(
                    tokenizer, batch, input_ids, truncated, unknown=unknown, max_length=params.max_length
                )
                coverage = coverage.add(part)
            columns = [batch["id"], batch["split"], batch["label"], input_ids, truncated]
            yield pa.record_batch(columns, list(TOKEN_COLUMNS))
        require_coverage(coverage, task=params.task, most=params.max_unknown_share)

    metadata = {**description(task_of(schema), labels_of(schema)), "max_length": str(params.max_length)}
    tokens_schema = pa.schema(TOKEN_COLUMNS.items(), metadata)
    write_arrow(tokens, tokens_schema, regroup(batches(), RECORD_TOKENS // params.max_length))
    written = read_arrow(tokens)
    count = pc.sum(pc.list_value_length(written["input_ids"])).as_py()
    print(f"{written.num_rows} examples, {count} tokens, {pc.sum(written['truncated']).as_py()} cut")
    print(coverage.describe())
