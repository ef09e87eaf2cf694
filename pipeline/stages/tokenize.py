"""tokenize: examples -> tokens, ragged ids in one columnar file."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.params import TokenizeParams
from pipeline.stage import In, Out
from pipeline.tables import described, labels_of, read_parquet, task_of, write_arrow
from pipeline.tokenizer import encode, load_tokenizer


def run(params: TokenizeParams, *, examples: In, findings: In, encoder: In, tokens: Out) -> None:  # noqa: ARG001
    """Tokenise every example of every split with the encoder's tokenizer.

    `findings` is not read: that it is there says that validate let the examples pass.
    """
    rows = read_parquet(examples)
    labels = labels_of(rows)
    tokenizer = load_tokenizer(encoder, max_length=params.max_length)
    input_ids, truncated = encode(
        tokenizer, rows["text"].to_pylist(), max_length=params.max_length, batch_texts=params.batch_texts
    )
    table = pa.table(
        {
            "id": rows["id"],
            "split": rows["split"],
            "labels": pc.index_in(rows["label"], pa.array(labels)).cast(pa.int64()),
            "input_ids": input_ids,
            "truncated": truncated,
        }
    )
    write_arrow(tokens, described(table.combine_chunks(), task=task_of(rows), labels=labels))
    count = pc.sum(pc.list_value_length(input_ids)).as_py()
    print(f"{table.num_rows} examples, {count} tokens, {pc.sum(truncated).as_py()} cut")
