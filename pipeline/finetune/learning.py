"""The learning of a kind of task: its head, its rows and its objective, as the facet that a training asks for."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
from transformers import PreTrainedModel

from pipeline.core.document import Document
from pipeline.models.heads import Head
from pipeline.models.layers import shorten_last_layer
from pipeline.train.objective import Objective


class Finish(NamedTuple):
    """The end of a training: the scores on validation, a metrics file of Git, and what the history adds."""

    scores: Document
    history: Document


class Learning(NamedTuple):
    """How a model learns tasks of one kind; `table` is that of its inputs, as `tokenize` has written it.

    Args:
        head: `head(table)` is the head of a model for the task.
        rows: `rows(table, split)` are the rows of one split, of the objective's own kind of data.
        require_fit: `require_fit(rows, model)` raises DataError if the model cannot read the rows.
        reads: What the head reads of the last layer: of the first token alone, which is then computed alone, or all.
        objective: The updates, their loss, and the evaluation on validation.
        finish: `finish(model, validation, best)` is called once, after the training, with the best weights in place and
            their evaluation; it may still change the model, say by a temperature.
        save_inputs: `save_inputs(encoder, folder, table)` writes beside the weights what makes their inputs: a
            tokenizer that cuts as in training, or an image processor.
    """

    head: Callable[[pa.Table], Head]
    rows: Callable[[pa.Table, str], Any]
    require_fit: Callable[[Any, PreTrainedModel], None]
    reads: Literal["first token", "every token"]
    objective: Objective
    finish: Callable[[PreTrainedModel, Any, Any], Finish]
    save_inputs: Callable[[Path, Path, pa.Table], None]


def as_read(model: PreTrainedModel, learning: Learning) -> AbstractContextManager[None]:
    """Return a block in which the model computes what its head reads, and no more."""
    return shorten_last_layer(model) if learning.reads == "first token" else nullcontext()
