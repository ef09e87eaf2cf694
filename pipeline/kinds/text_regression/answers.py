"""Answers of text regression: a number, in the unit of the data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field

from pipeline.core.document import Document
from pipeline.kinds.text_regression.metrics import ScoredNumbers, score_numbers
from pipeline.predict.kind import Answers, OutputNames, Outputs, list_scores
from pipeline.predict.questions import TEXT_QUESTIONS, join_rows

VALUE = "value"  # the name that the head gives its only output
_DIGITS = 7  # that count of a number in a file, those of fp32
_NOTICED = 0.1  # of the spread of numbers: a smaller difference is no other answer


class NumberAnswer(BaseModel):
    """The number of one text."""

    value: float = Field(description="In the unit of the data.")


def measure_spread(numbers: npt.NDArray[Any]) -> float:
    """Return the deviation of numbers, or a tenth of their root mean square if that is more; 1 if all are 0."""
    wide = numbers.astype(np.float64)
    return float(max(wide.std(), 0.1 * np.sqrt(np.mean(wide**2)))) or 1.0


def _round(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


def _respond(
    outputs: Outputs, _texts: Sequence[str], _labels: OutputNames, _decision: Any, _with_all: bool
) -> list[Document]:
    """Return a `NumberAnswer` for each row of (N, 1) numbers."""
    return [{"value": number} for number in outputs[:, 0].tolist()]


def _differ(outputs: Outputs, others: Outputs, _labels: OutputNames, _decision: Any) -> npt.NDArray[np.bool_]:
    return np.asarray((np.abs(outputs - others) > _NOTICED * measure_spread(others)).any(axis=1))


def _score(outputs: Outputs, inputs: pa.Table, _labels: OutputNames, _decision: Any) -> ScoredNumbers:
    return score_numbers(inputs["labels"].to_numpy(), outputs[:, 0])


ANSWERS = Answers(
    head="ForSequenceClassification",
    problem="regression",
    reads="first token",
    questions=TEXT_QUESTIONS,
    outputs=lambda _classes: (VALUE,),
    activate=lambda logits: logits.astype(np.float64),
    join=join_rows,
    keep=lambda _calibration: None,
    decide=lambda _kept: (),
    columns=lambda _labels: {VALUE: pa.float64()},
    tabulate=lambda outputs, _texts, _labels, _decision: [[_round(number) for number in outputs[:, 0].tolist()]],
    names=lambda _batch: (),
    answer=(NumberAnswer, {"value": 3.4}),
    respond=_respond,
    pipe=list_scores,
    differ=_differ,
    unit=measure_spread,
    score=_score,
)
