"""tokenize: examples -> tokens, ragged ids in one columnar file."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.stage import In, Out
from pipeline.core.tables import description, labels_of, read_arrow, regroup, stream_parquet, task_of, write_arrow
from pipeline.models.tokenizer import encode, load_tokenizer
from pipeline.settings.task import TokenizeParams

# Token ids of a record batch at most: 32 MiB of memory. Where one ends depends on `max_length` alone.
RECORD_TOKENS = 2**23
COLUMNS = {
    "id": pa.string(),
    "split": pa.string(),
    "labels": pa.int64(),
    "input_ids": pa.list_(pa.int32()),
    "truncated": pa.bool_(),
}


def run(params: TokenizeParams, *, examples: In, findings: In, encoder: In, tokens: Out) -> None:  # noqa: ARG001
    """Tokenise every example of every split with the encoder's tokenizer; the memory does not grow with the examples.

    `findings` is not read: that it is there says that validate let the examples pass.
    """
    tokenizer = load_tokenizer(encoder, max_length=params.max_length)
    schema, rows = stream_parquet(examples, ("id", "split", "label", "text"), rows=params.batch_texts)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, input_ids, truncated in encode(tokenizer, rows, max_length=params.max_length):
            columns = [batch["id"], batch["split"], batch["label"], input_ids, truncated]
            yield pa.record_batch(columns, list(COLUMNS))

    found = pa.schema(COLUMNS.items(), description(task_of(schema), labels_of(schema)))
    write_arrow(tokens, found, regroup(batches(), RECORD_TOKENS // params.max_length))
    written = read_arrow(tokens)
    count = pc.sum(pc.list_value_length(written["input_ids"])).as_py()
    print(f"{written.num_rows} examples, {count} tokens, {pc.sum(written['truncated']).as_py()} cut")
