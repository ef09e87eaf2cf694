"""The answers of a kind of task: how what its models compute becomes columns and JSON, as the facet of production."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel

from pipeline.core.document import Document
from pipeline.core.errors import UsageError, listed
from pipeline.core.stage import list_kinds, load_facet
from pipeline.predict.questions import Prepared, Questions

Outputs: TypeAlias = npt.NDArray[np.float64]
OutputNames = tuple[str, ...]
FACET = "answers"
ANSWER_DIGITS = 6  # of a probability in a file; the last bits depend on the number of threads
CLASS_COLUMN = "probability_"  # begins the name of the column with the probability of one class


class Answers(NamedTuple):
    """How the models of one kind answer; its module imports neither torch nor transformers.

    *Logits* are those of some rows of token ids: (N, C) of a head on the first token, a list of (T, C) of one on every
    token. *Outputs* are what `activate` and `join` make of them, a value a question. `labels` name the C columns, as
    the configuration of the model does. A *decision* is the tuple of what else answers follow.

    Args:
        owns: `owns(config)` is whether the config.json of a model is that of one of this kind.
        opener: The class of transformers that opens such a model.
        reads: What its head reads of the last layer.
        questions: How its questions are read, and what the model reads of them.
        outputs: `outputs(classes)` are the names of the outputs, as the model of a task with these classes has them.
        activate: `activate(logits)` are what the outputs of rows are, say probabilities.
        join: `join(rows, prepared)` are the outputs of questions, of those of their rows.
        keep: `keep(calibration)` is what a bundle keeps of data/calibration of a task.
        decide: `decide(kept)` is the decision; that of a model without a calibration if `kept` is None.
        columns: `columns(labels)` are the columns of a file of answers; those whose names begin with `CLASS_COLUMN` are
            written only if that is asked for.
        tabulate: `tabulate(outputs, questions, labels, decision)` are the values of the columns, in their order.
        names: `names(batch)` are what a person counts the answers in some rows of these columns by, say their labels.
        answer: The class of one answer in JSON, and a value of it.
        respond: `respond(outputs, questions, labels, decision, with_all)` are the answers in JSON; `with_all` asks for
            the numbers of all classes.
        scores: Whether outputs are a number for each label, which the shape of transformers' pipelines shows.
        differ: `differ(outputs, others, labels, decision)` is whether two outputs lead to other answers: of each
            question, (N,), or of each part that has an answer of its own, in turn. It takes those of rows too.
        unit: `unit(logits)` is the size of a difference of logits that counts as 1.
        compare: `compare(trained, exported, inputs, labels, decision)` compares the logits of a trained and of an
            exported model on rows of the task's inputs; a `BackendComparison`.
    """

    owns: Callable[[Document], bool]
    opener: str
    reads: Literal["first token", "every token"]
    questions: Questions
    outputs: Callable[[OutputNames], OutputNames]
    activate: Callable[[Any], Any]
    join: Callable[[Any, Prepared], Any]
    keep: Callable[[Document], Any]
    decide: Callable[[Any], tuple[Any, ...]]
    columns: Callable[[Sequence[str]], dict[str, pa.DataType]]
    tabulate: Callable[[Any, Sequence[Any], OutputNames, Any], list[Any]]
    names: Callable[[pa.RecordBatch], Iterable[str]]
    answer: tuple[type[BaseModel], Document]
    respond: Callable[[Any, Sequence[Any], OutputNames, Any, bool], list[Document]]
    scores: bool
    differ: Callable[[Any, Any, OutputNames, Any], npt.NDArray[np.bool_]]
    unit: Callable[[Any], float]
    compare: Callable[[Any, Any, pa.Table, OutputNames, Any], Any]


def load_answers(kind: str, where: str) -> Answers:
    """Return the facet of a kind; `where` begins the message if it has none.

    Raises:
        UsageError: It has none.
    """
    if kind not in (known := list_kinds(FACET)):
        raise UsageError(f"{where}: is of the kind {kind}, and only {listed(known)} answer. Name a task of these.")
    answers: Answers = load_facet(kind, FACET)
    return answers


def match_answers(config: Document) -> str | None:
    """Return the kind of the model that has a config.json; None if it is of none that is answered."""
    return next((kind for kind in list_kinds(FACET) if load_facet(kind, FACET).owns(config)), None)


def has_head(config: Document, head: str) -> bool:
    """Return whether the class of a model's configuration ends as `head` does, say `ForSequenceClassification`."""
    return any(str(name).endswith(head) for name in config.get("architectures") or ())
