"""Inputs of models: what a model reads of the examples of one kind, made once and batched at each step."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from transformers import PreTrainedModel

from pipeline.models.batches import ModelInputs
from pipeline.models.batching import Indices
from pipeline.models.device import Device


class Encoded(NamedTuple):
    """The inputs of a task on their way to a file: its schema, the batches, and the rows of a record batch of it."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    rows: int


class Inputs(NamedTuple):
    """How examples of one kind become what a model reads.

    Args:
        encode: `encode(params, examples, encoder)` reads the file of the examples and the folder of the encoder. The
            rows have the `id` and the `split` of their example, which may have several in turn, and what the kind's
            `Learning.rows` reads; `labels`, if the kind has them, are kept beside the features.
        summarize: `summarize(table)` is a line about the inputs.
        rows: `rows(table)` are the rows of a table or a record batch of inputs, ready for the others.
        lengths: `lengths(rows)` are what the rows cost in tokens, (N,), as `plan_batches` takes them.
        collate: `collate(model, rows, indices, device)` are some of the rows as keyword arguments of the model.
        require_fit: `require_fit(rows, model)` raises DataError if the model cannot read the rows.
    """

    encode: Callable[[Any, Path, Path], Encoded]
    summarize: Callable[[pa.Table], str]
    rows: Callable[[pa.Table | pa.RecordBatch], Any]
    lengths: Callable[[Any], Indices]
    collate: Callable[[PreTrainedModel, Any, Indices, Device], ModelInputs]
    require_fit: Callable[[Any, PreTrainedModel], None]
