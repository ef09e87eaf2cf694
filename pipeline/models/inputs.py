"""Inputs of models: what a model reads of the examples of one kind, made once; no model is needed for it."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.parts.chunks import MEAN_ROWS, cut_chunks
from pipeline.core.parts.work import Work
from pipeline.core.tables import description, labels_of, metadata_of, stream_parquet, task_of
from pipeline.models.coverage import Coverage, find_unknown, measure_coverage, require_coverage
from pipeline.models.tokenizer import TYPES, encode, load_tokenizer, require_separator, tells_texts_apart
from pipeline.settings.shared.texts import PAIR
from pipeline.settings.task import TokenizeParams

# The most token ids of a record batch: 32 MiB of memory. Its length in rows depends on `max_length` alone.
RECORD_TOKENS = 2**23
# The tokenizer works on all cores and outside of Python: it encodes one chunk while another becomes columns.
_CHUNKS_AHEAD = 2
_COVERAGE = b"coverage"


class Encoded(NamedTuple):
    """How the examples of a task become inputs, some rows at a time, and no row by what is in another.

    Args:
        schema: That of the inputs.
        rows: The rows of a record batch of inputs.
        examples: They have an `id`; `row`, if they have it, may show in an error alone.
        at_once: The examples to encode in one call.
        encode: `encode(examples)` are their inputs, and how much of them the tokenizer knows.
        finish: `finish(coverage)` judges the whole.
    """

    schema: pa.Schema
    rows: int
    examples: Iterator[pa.RecordBatch]
    at_once: int
    encode: Callable[[pa.RecordBatch], tuple[pa.RecordBatch, Coverage]]
    finish: Callable[[Coverage], None]


class Inputs(NamedTuple):
    """How examples of one kind become what a model reads.

    Args:
        encode: `encode(params, examples, encoder)` reads the file of the examples and the folder of the encoder. The
            rows have the `id` and the `split` of their example, which may have several in turn, and what the kind's
            `Learning.rows` reads; `labels`, if the kind has them, are kept beside the features.
        summarize: `summarize(table)` is a line about the inputs.
    """

    encode: Callable[[Any, Path, Path], Encoded]
    summarize: Callable[[pa.Table], str]


def encode_in_parts(encoded: Encoded, work: Work) -> Iterator[pa.RecordBatch]:
    """Yield the inputs of all examples; those that `work` has of an earlier run are not encoded again."""

    def encode_chunk(examples: pa.RecordBatch) -> pa.RecordBatch:
        starts = range(0, examples.num_rows, encoded.at_once)
        parts = [encoded.encode(examples.slice(start, encoded.at_once)) for start in starts]
        coverage = reduce(Coverage.add, (own for _, own in parts))
        return pa.concat_batches([rows for rows, _ in parts]).replace_schema_metadata({_COVERAGE: json.dumps(coverage)})

    coverage = Coverage()
    chunks = cut_chunks(encoded.examples, mean=max(1, min(MEAN_ROWS, encoded.rows // 4)))
    for part in work.do(chunks, encode_chunk, but=("row",), ahead=_CHUNKS_AHEAD):
        coverage = coverage.add(Coverage(*json.loads(part.result.schema.metadata[_COVERAGE])))
        yield part.result
    encoded.finish(coverage)


def skip_coverage(_: Coverage) -> None:
    """Judge nothing: what is read has no part that the encoder might not know."""


def judge_coverage(coverage: Coverage, params: TokenizeParams) -> None:
    """Print how much of the texts the tokenizer does not know.

    Raises:
        DataError: It is too much.
    """
    require_coverage(coverage, task=params.task, most=params.max_unknown_share)
    print(coverage.describe())


def encode_task(params: TokenizeParams, examples: Path, encoder: Path, *, label: str, holds: pa.DataType) -> Encoded:
    """Return the token ids of one text or pair an example, with its column `label`, of the type `holds`, as `labels`.

    Memory does not grow with the examples. Pairs have `token_type_ids` if the encoder tells texts apart by them.

    Raises:
        UsageError: The examples are pairs, and the tokenizer runs two texts together.
        DataError: The tokenizer knows too few of the texts' characters; raised after the last batch.
    """
    tokenizer = load_tokenizer(encoder, max_length=params.max_length)
    unknown = find_unknown(tokenizer)
    schema, rows = stream_parquet(examples, ("id", "split", label, "text", PAIR), rows=params.batch_texts)
    paired = PAIR in schema.names
    typed = paired and tells_texts_apart(encoder)
    if paired:
        require_separator(tokenizer, encoder)
    columns = {
        "id": pa.string(),
        "split": pa.string(),
        "labels": holds,
        "input_ids": pa.list_(pa.int32()),
        **({TYPES: pa.list_(pa.int32())} if typed else {}),
        "truncated": pa.bool_(),
    }

    def encode_batch(texts: pa.RecordBatch) -> tuple[pa.RecordBatch, Coverage]:
        batch, input_ids, truncated = encode(tokenizer, texts, max_length=params.max_length)
        coverage = Coverage()
        if unknown is not None:
            coverage = measure_coverage(
                tokenizer, batch, input_ids, truncated, unknown=unknown, max_length=params.max_length
            )
        # Parquet names the values of a list otherwise than Arrow does: hence the cast
        types = [batch[TYPES]] if typed else []
        values = [batch["id"], batch["split"], batch[label].cast(holds), input_ids, *types, truncated]
        return pa.record_batch(values, list(columns)), coverage

    metadata = {**description(task_of(schema), labels_of(schema)), "max_length": str(params.max_length)}
    metadata |= {"pairs": "1"} if paired else {}
    return Encoded(
        pa.schema(columns.items(), metadata),
        RECORD_TOKENS // params.max_length,
        rows,
        params.batch_texts,
        encode_batch,
        partial(judge_coverage, params=params),
    )


def summarize_tokens(table: pa.Table) -> str:
    """Return the examples, tokens and cut texts of a table of tokens, in words."""
    count = pc.sum(pc.list_value_length(table["input_ids"])).as_py()
    return f"{table.num_rows} examples, {count} tokens, {pc.sum(table['truncated']).as_py()} cut"


def max_length_of(tokens: pa.Table) -> int:
    """Return the number of tokens at which the texts of a table of tokens were cut."""
    return int(metadata_of(tokens)[b"max_length"])


def holds_pairs(inputs: pa.Table | pa.Schema) -> bool:
    """Return whether the rows of a table of a model's inputs are made of two texts each."""
    return b"pairs" in metadata_of(inputs)


def window_stride(inputs: pa.Table | pa.Schema) -> int | None:
    """Return the tokens that neighbouring windows share, if the rows are windows of the texts; else None."""
    stride = (metadata_of(inputs) or {}).get(b"windows")
    return None if stride is None else int(stride)


def find_first_windows(ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the rows at which a text begins, rising; the windows of a text are neighbours, and have its id."""
    return np.array([row for row, own in enumerate(ids) if not row or own != ids[row - 1]], np.int64)


def describe_inputs(inputs: pa.Table) -> dict[str, Any]:
    """Return what a table of a model's inputs says of itself: its classes, where texts were cut, and counts.

    `max_length` and `truncated` are None if nothing is ever cut. An example may have several rows.
    """
    ids = {split: inputs.filter(pc.equal(inputs["split"], split))["id"] for split in ("train", "validation")}
    cuts = b"max_length" in metadata_of(inputs)
    return {
        "labels": labels_of(inputs),
        "max_length": max_length_of(inputs) if cuts else None,
        "examples": {split: pc.count_distinct(column).as_py() for split, column in ids.items()},
        "truncated": pc.sum(inputs["truncated"]).as_py() if cuts else None,
        **({} if window_stride(inputs) is None else {"windows": _count_windows(inputs)}),
    }


def _count_windows(inputs: pa.Table) -> dict[str, int | None]:
    """Return the texts, those of them with more than one window, the windows, and the tokens that two of them share."""
    counts = pc.value_counts(inputs["id"]).field("counts")
    several = pc.sum(pc.greater(counts, 1)).as_py()
    return {"texts": len(counts), "several": several, "windows": inputs.num_rows, "stride": window_stride(inputs)}
