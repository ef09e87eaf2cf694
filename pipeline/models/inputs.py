"""Inputs of models: what a model reads of the examples of one kind, made once; no model is needed for it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa


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
    """

    encode: Callable[[Any, Path, Path], Encoded]
    summarize: Callable[[pa.Table], str]
