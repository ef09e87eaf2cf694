"""The answers of a kind of task: how what its models compute becomes columns and JSON, as the facet of production."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel

from pipeline.core.document import Document
from pipeline.core.errors import EnvironmentFault, UsageError, listed
from pipeline.core.stage import list_kinds, load_facet
from pipeline.predict.questions import Prepared, Questions

Outputs: TypeAlias = npt.NDArray[np.float64]
OutputNames = tuple[str, ...]
Reads: TypeAlias = Literal["first token", "every token", "image"]  # what a head reads of the last layer
FACET = "answers"
ANSWER_DIGITS = 6  # of a probability in a file; the last bits depend on the number of threads
CLASS_COLUMN = "probability_"  # begins the name of the column with the probability of one class
ONE_CLASS = "single_label_classification"  # the problem of a classifier whose config.json names none


class Answers(NamedTuple):
    """How the models of one kind answer; its module imports neither torch nor transformers.

    *Logits* are those of some rows: (N, C), or a list of (T, C) of a head on every token. *Outputs* are what `activate`
    and `join` make of them, a value a question. `labels` name the C columns, as the configuration of the model does. A
    *decision* is the tuple of what else answers follow.

    Args:
        head: The end of the names of the classes of transformers that have the head, say `ForSequenceClassification`.
        problem: The `problem_type` in the config.json of such a model; None if any will do.
        reads: What its head reads of the last layer; of an image, whatever it likes.
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
        pipe: `pipe(outputs, questions, labels, decision, with_all)` are the answers in the shape of transformers'
            pipeline; None if this kind has no such shape.
        differ: `differ(outputs, others, labels, decision)` is whether two outputs of rows lead to other answers, of
            each row, (N,), or of each part that has an answer of its own, in turn.
        unit: `unit(logits)` is the size of a difference of logits that counts as 1.
        score: `score(outputs, inputs, labels, decision)` are the examples of some rows of the task's inputs, scored as
            the measures of the kind take them, by the outputs of the rows; None if each row has one class, so that an
            answer is right or wrong.
    """

    head: str
    problem: str | None
    reads: Reads
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
    pipe: Callable[[Any, Sequence[Any], OutputNames, Any, bool], list[Any]] | None
    differ: Callable[[Any, Any, OutputNames, Any], npt.NDArray[np.bool_]]
    unit: Callable[[Any], float]
    score: Callable[[Any, pa.Table, OutputNames, Any], Any] | None

    @property
    def opener(self) -> str:
        """The class of transformers that opens such a model."""
        return f"AutoModel{self.head}"

    def owns(self, config: Document) -> bool:
        """Return whether the config.json of a model is that of one of this kind."""
        heads = [str(name) for name in config.get("architectures") or ()]
        problem = config.get("problem_type") or ONE_CLASS
        return any(name.endswith(self.head) for name in heads) and self.problem in (None, problem)


def list_scores(
    outputs: Outputs, _questions: Sequence[Any], labels: OutputNames, _decision: Any, with_all: bool
) -> list[Any]:
    """Return the largest of each row of (N, C) outputs as label and score, or all of them, the largest first."""
    order: npt.NDArray[np.int64] = np.argsort(-outputs, axis=1, kind="stable")
    ranked = [
        [{"label": labels[place], "score": row[place]} for place in places]
        for row, places in zip(outputs.tolist(), order.tolist(), strict=True)
    ]
    return ranked if with_all else [scores[0] for scores in ranked]


def load_answers(kind: str, where: str) -> Answers:
    """Return the facet of a kind; `where` begins the message if it has none.

    Raises:
        UsageError: It has none.
        EnvironmentFault: A package that it needs is not installed.
    """
    if kind not in (known := list_kinds(FACET)):
        raise UsageError(f"{where}: is of the kind {kind}, and only {listed(known)} answer. Name a task of these.")
    return _load(kind)


def match_answers(config: Document) -> str | None:
    """Return the kind of the model that has a config.json; None if it is of none that is answered."""
    return next((kind for kind in list_kinds(FACET) if _load(kind).owns(config)), None)


def _load(kind: str) -> Answers:
    try:
        answers: Answers = load_facet(kind, FACET)
    except ModuleNotFoundError as error:
        if error.name != "PIL":
            raise
        raise EnvironmentFault(f"{kind}: Pillow is not installed, {error}. Run `pip install pillow`.") from error
    return answers
