"""Answers of one class each, with its probability, and whether the model abstains."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field

from pipeline.calibration.decision import PLAIN, Decision, answer_rows, decide
from pipeline.core.document import Document
from pipeline.predict.kind import ANSWER_DIGITS, CLASS_COLUMN, Answers, OutputNames, Outputs, Reads
from pipeline.predict.logits import softmax
from pipeline.predict.questions import Questions, join_rows


class Answer(BaseModel):
    """The class of one text or image."""

    label: str
    probability: float = Field(
        description="Of this label; calibrated on the validation split, unless the backend is `linear` (`/v1/models`)."
    )
    unsure: bool = Field(description="Whether the model abstains: no class is probable enough.")
    probabilities: dict[str, float] | None = Field(None, description="Of all classes, if `all` asks for them.")


ANSWER_EXAMPLE: Document = {
    "label": "positive",
    "probability": 0.97,
    "unsure": False,
    "probabilities": {"negative": 0.03, "positive": 0.97},
}


def to_decision(kept: Document | None) -> Decision:
    """Return the decision that a bundle keeps as a document, the plain one if it keeps none."""
    return PLAIN if kept is None else Decision(**kept)


def list_class_columns(labels: Sequence[str]) -> dict[str, pa.DataType]:
    """Return the columns of a file of answers."""
    columns = {"label": pa.string(), "probability": pa.float64(), "unsure": pa.bool_()}
    return columns | {f"{CLASS_COLUMN}{label}": pa.float64() for label in labels}


def tabulate_decisions(outputs: Outputs, _asked: Sequence[Any], labels: OutputNames, decision: Decision) -> list[Any]:
    """Return the values of these columns for rows of (N, C) probabilities."""
    answers = answer_rows(outputs, labels, decision)
    return [
        [labels[place] for place in answers.classes],
        answers.confidence.round(ANSWER_DIGITS),
        answers.unsure,
        *outputs.round(ANSWER_DIGITS).T,
    ]


def to_answers(
    probabilities: Outputs, _asked: Sequence[Any], labels: OutputNames, decision: Decision, with_all: bool
) -> list[Document]:
    """Return an `Answer` for each row of (N, C) probabilities."""
    chosen, unsure = decide(probabilities, labels, decision)
    answers: list[Document] = []
    for row, label, abstains in zip(probabilities.tolist(), chosen, unsure.tolist(), strict=True):
        by_label = dict(zip(labels, row, strict=True))
        answer = {"label": label, "probability": by_label[label], "unsure": abstains}
        answers.append({**answer, "probabilities": by_label} if with_all else answer)
    return answers


def differ_in_class(
    outputs: Outputs, others: Outputs, labels: OutputNames, decision: Decision
) -> npt.NDArray[np.bool_]:
    """Return which rows of two probabilities, each (N, C), get another class, or are unsure in one alone, (N,)."""
    first, second = (answer_rows(each, labels, decision) for each in (outputs, others))
    return np.asarray((first.classes != second.classes) | (first.unsure != second.unsure))


def answer_by_class(
    *, head: str, problem: str | None, reads: Reads, questions: Questions, pipe: Callable[..., list[Any]]
) -> Answers:
    """Return the answers of a kind whose model gives each row one class, by the decision that validation has chosen."""
    return Answers(
        head=head,
        problem=problem,
        reads=reads,
        questions=questions,
        outputs=lambda classes: classes,
        activate=softmax,
        join=join_rows,
        keep=lambda calibration: calibration["decision"],
        decide=to_decision,
        columns=list_class_columns,
        tabulate=tabulate_decisions,
        names=lambda batch: batch["label"].to_pylist(),
        answer=(Answer, ANSWER_EXAMPLE),
        respond=to_answers,
        pipe=pipe,
        differ=differ_in_class,
        unit=lambda _logits: 1.0,
        score=None,
    )
