"""extract: tokens and a frozen encoder -> features, one vector for each example, in a columnar, memory-mapped file."""

import time
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.progress import show_progress
from pipeline.core.stage import In, Out
from pipeline.core.tables import description, labels_of, read_arrow, regroup, task_of, write_arrow
from pipeline.models.batches import to_ragged
from pipeline.models.compute import with_attention
from pipeline.models.device import choose_device
from pipeline.models.features import choose_for_extraction, extract_vectors, require_finite_vectors, require_layer
from pipeline.models.folder import load_encoder
from pipeline.models.layers import require_fit
from pipeline.settings.task import ExtractParams

# The most numbers of a record batch: 32 MiB of memory. Its length in rows depends on the vectors' width alone.
RECORD_NUMBERS = 2**23
COLUMNS_KEPT = ("id", "split", "labels")


def run(params: ExtractParams, *, tokens: In, encoder: In, features: Out) -> None:
    """Extract the features of every example of every split; memory does not grow with the examples."""
    table, model = read_arrow(tokens), load_encoder(encoder)
    require_layer(model, params.layer)
    for batch in table.to_batches():
        require_fit(to_ragged(batch["input_ids"]), model)
    first = to_ragged(table["input_ids"].slice(0, params.batch_size))
    choice = choose_for_extraction(model, first, params)
    device = choose_device(choice.precision)
    width = extract_vectors(model, to_ragged(table["input_ids"].slice(0, 1)), params, device).shape[1]
    print(choice.describe(device), flush=True)
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), width)

    def batches() -> Iterator[pa.RecordBatch]:
        with show_progress(table.num_rows, "example") as done:
            for part in regroup(table.to_batches(), RECORD_NUMBERS // width):
                vectors = extract_vectors(model, to_ragged(part["input_ids"]), params, device, done=done)
                require_finite_vectors(vectors, part["id"].to_pylist())
                column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=vector)
                yield pa.record_batch([*(part[name] for name in COLUMNS_KEPT), column], [*COLUMNS_KEPT, "features"])

    schema = pa.schema(
        [*(table.schema.field(name) for name in COLUMNS_KEPT), pa.field("features", vector)],
        description(task_of(table), labels_of(table)),
    )
    start = time.perf_counter()
    with with_attention(model, choice.attention):
        write_arrow(features, schema, batches())
    seconds = time.perf_counter() - start
    count = pc.sum(pc.list_value_length(table["input_ids"])).as_py()
    print(
        f"{table.num_rows} examples, {count} tokens, {width} numbers each: "
        f"{table.num_rows / seconds:,.0f} examples/s, {count / seconds:,.0f} tokens/s"
    )
