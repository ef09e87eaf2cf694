"""extract: tokens and a frozen encoder -> features, one vector for each example, in a columnar, memory-mapped file."""

import time
from collections.abc import Iterator

import pyarrow as pa

from pipeline.core.progress import show_progress
from pipeline.core.stage import In, Out
from pipeline.core.tables import description, labels_of, read_arrow, regroup, task_of, write_arrow
from pipeline.models.compute import with_attention
from pipeline.models.device import choose_device
from pipeline.models.features import (
    choose_for_extraction,
    extract_vectors,
    pool_windows,
    require_finite_vectors,
    require_layer,
)
from pipeline.models.folder import load_encoder
from pipeline.models.inference import Feed
from pipeline.models.inputs import window_stride
from pipeline.settings.task import ExtractParams

# The most numbers of a record batch: 32 MiB of memory. Its length in rows depends on the vectors' width alone.
RECORD_NUMBERS = 2**23
COLUMNS_KEPT = ("id", "split", "labels")


def run(params: ExtractParams, kind: Feed, *, tokens: In, encoder: In, features: Out) -> None:
    """Extract the features of every example of every split; memory does not grow with the examples."""
    table, model = read_arrow(tokens), load_encoder(encoder)
    require_layer(model, params.layer)
    for batch in table.to_batches():
        kind.require_fit(kind.rows(batch), model)
    choice = choose_for_extraction(model, kind.rows(table.slice(0, params.batch_size)), params, kind)
    device = choose_device(choice.precision)
    width = extract_vectors(model, kind.rows(table.slice(0, 1)), params, device, kind=kind).shape[1]
    kept = [name for name in COLUMNS_KEPT if name in table.column_names]
    print(choice.describe(device), flush=True)
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), width)

    def batches() -> Iterator[pa.RecordBatch]:
        with show_progress(table.num_rows, "example") as done:
            for part in regroup(table.to_batches(), RECORD_NUMBERS // width):
                vectors = extract_vectors(model, kind.rows(part), params, device, kind=kind, done=done)
                require_finite_vectors(vectors, part["id"].to_pylist())
                column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=vector)
                yield pa.record_batch([*(part[name] for name in kept), column], [*kept, "features"])

    schema = pa.schema(
        [*(table.schema.field(name) for name in kept), pa.field("features", vector)],
        description(task_of(table), labels_of(table)),
    )
    start = time.perf_counter()
    with with_attention(model, choice.attention):
        write_arrow(features, schema, batches() if window_stride(table) is None else pool_windows(batches()))
    seconds = time.perf_counter() - start
    print(f"{table.num_rows} rows, {width} numbers each: {table.num_rows / seconds:,.0f} rows/s")
