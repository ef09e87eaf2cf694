"""extract: tokens and a frozen encoder -> features, one vector an example in a columnar file to be memory-mapped."""

import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.progress import counting
from pipeline.core.stage import In, Out
from pipeline.core.tables import description, labels_of, read_arrow, regroup, task_of, write_arrow
from pipeline.models.batches import ragged
from pipeline.models.compute import using
from pipeline.models.device import choose
from pipeline.models.features import choice, pooled, require_finite, require_layer, vectors
from pipeline.models.folder import load_encoder
from pipeline.models.layers import require_fit
from pipeline.settings.task import ExtractParams

# Numbers of a record batch at most: 32 MiB of memory. Where one ends depends on the vectors' width alone.
RECORD_NUMBERS = 2**23
KEPT = ("id", "split", "labels")


def run(params: ExtractParams, *, tokens: In, encoder: In, features: Out) -> None:
    """Extract the features of every example of every split; the memory does not grow with the examples."""
    table, model = read_arrow(tokens), load_encoder(encoder)
    require_layer(model, params.layer)
    for batch in table.to_batches():
        require_fit(ragged(batch["input_ids"]), model)
    first = ragged(table["input_ids"].slice(0, params.batch_size))
    chosen = choice(model, first, params)
    device = choose(chosen.precision)
    width = pooled(model, first, np.arange(1), params, device).shape[1]
    print(f"{device.device.type}, {', '.join(map(str, chosen[:3]))} ({chosen.reason})", flush=True)
    kind = pa.list_(pa.field("item", pa.float32(), nullable=False), width)

    def batches() -> Iterator[pa.RecordBatch]:
        with counting(table.num_rows, "example") as done:
            for part in regroup(table.to_batches(), RECORD_NUMBERS // width):
                found = vectors(model, ragged(part["input_ids"]), params, device, done=done)
                require_finite(found, part["id"].to_pylist())
                numbers = pa.FixedSizeListArray.from_arrays(pa.array(found.ravel()), type=kind)
                yield pa.record_batch([*(part[name] for name in KEPT), numbers], [*KEPT, "features"])

    schema = pa.schema(
        [*(table.schema.field(name) for name in KEPT), pa.field("features", kind)],
        description(task_of(table), labels_of(table)),
    )
    begin = time.perf_counter()
    with using(model, chosen.attention):
        write_arrow(features, schema, batches())
    seconds = time.perf_counter() - begin
    count = pc.sum(pc.list_value_length(table["input_ids"])).as_py()
    print(
        f"{table.num_rows} examples, {count} tokens, {width} numbers each: "
        f"{table.num_rows / seconds:,.0f} examples/s, {count / seconds:,.0f} tokens/s"
    )
