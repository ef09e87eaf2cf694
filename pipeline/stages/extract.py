"""extract: tokens and a frozen encoder -> features, one vector for each example, in a columnar, memory-mapped file."""

import time
from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from pipeline.core.parts.chunks import MEAN_ROWS, cut_chunks
from pipeline.core.parts.code import fingerprint_running, hash_folder
from pipeline.core.parts.work import list_facts, open_work
from pipeline.core.progress import show_progress
from pipeline.core.stage import In, Out
from pipeline.core.tables import description, labels_of, regroup, stream_arrow, task_of, write_arrow
from pipeline.models.compute import describe_machine, with_attention
from pipeline.models.device import choose_device
from pipeline.models.features import choose_for_extraction, extract_part, extract_vectors, pool_windows, require_layer
from pipeline.models.folder import load_encoder
from pipeline.models.inference import Feed
from pipeline.models.inputs import window_stride
from pipeline.settings.task import ExtractParams

RECORD_NUMBERS = 2**23  # of a record batch at most: 32 MiB. Its length in rows depends on the vectors' width alone.
COLUMNS_KEPT = ("id", "split", "labels")


def run(params: ExtractParams, kind: Feed, *, tokens: In, encoder: In, features: Out) -> None:
    """Extract the features of every example of every split, or take kept ones; memory does not grow with them."""
    (inputs, parts), model = stream_arrow(tokens), load_encoder(encoder)
    require_layer(model, params.layer)
    head, count = inputs.empty_table(), 0
    for part in parts:
        kind.require_fit(kind.rows(part), model)
        head = head if count else pa.Table.from_batches([part.slice(0, params.batch_size)])
        count += part.num_rows
    choice = choose_for_extraction(model, kind.rows(head), params, kind)
    device = choose_device(choice.precision)
    width = extract_vectors(model, kind.rows(head.slice(0, 1)), params, device, kind=kind).shape[1]
    kept = [name for name in COLUMNS_KEPT if name in inputs.names]
    print(choice.describe(device), flush=True)
    vector, rows = pa.list_(pa.field("item", pa.float32(), nullable=False), width), RECORD_NUMBERS // width
    facts = {"params": params.model_dump(mode="json", exclude={"task"}), "encoder": hash_folder(encoder)}
    facts |= {"machine": describe_machine(choice, device), "schema": list_facts(inputs, but=("task", "labels"))}
    work = open_work(features, fingerprint_running("extract", "feed", kind), **facts)

    def batches() -> Iterator[pa.RecordBatch]:
        with show_progress(count, "example") as done:
            extract = partial(extract_part, model, params=params, device=device, kind=kind, vector=vector, done=done)
            chunks = cut_chunks(stream_arrow(tokens)[1], mean=max(1, min(MEAN_ROWS, rows // 4)))
            for part in work.do(chunks, extract, but=(*COLUMNS_KEPT, "truncated")):
                done(0 if part.is_new else part.rows.num_rows)
                yield pa.record_batch([*(part.rows[name] for name in kept), part.result[0]], [*kept, "features"])

    fields = [*(inputs.field(name) for name in kept), pa.field("features", vector)]
    schema, start = pa.schema(fields, description(task_of(inputs), labels_of(inputs))), time.perf_counter()
    with with_attention(model, choice.attention):
        vectors = batches() if window_stride(inputs) is None else pool_windows(batches())
        write_arrow(features, schema, regroup(vectors, rows))
    rate = count / (time.perf_counter() - start)
    print(f"{count} rows, {width} numbers each; {work.describe()}: {rate:,.0f} rows/s")
