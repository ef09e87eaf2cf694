"""Answers of text regression: a number, in the unit of the data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field

from pipeline.core.document import Document
from pipeline.kinds.text_regression.metrics import score_numbers
from pipeline.predict.kind import Answers, OutputNames, Outputs, has_head
from pipeline.predict.questions import TEXT_QUESTIONS, join_rows

VALUE = "value"  # the name that the head gives its only output
_DIGITS = 7  # that count of a number in a file, those of fp32
_NOTICED = 0.1  # of the spread of numbers: a smaller difference is no other answer


class NumberAnswer(BaseModel):
    """The number of one text."""

    value: float = Field(description="In the unit of the data.")


def _owns(config: Document) -> bool:
    return has_head(config, "ForSequenceClassification") and config.get("problem_type") == "regression"


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


def _compare(
    trained: npt.NDArray[np.float32],
    exported: npt.NDArray[np.float32],
    inputs: pa.Table,
    labels: OutputNames,
    decision: Any,
) -> Any:
    from pipeline.evaluate.paired import ScoredPair  # noqa: PLC0415  # scipy, of use here only
    from pipeline.export.parity import compare_metric  # noqa: PLC0415  # likewise
    from pipeline.kinds.text_regression.measures import MEASURES  # noqa: PLC0415  # likewise

    before, after, actual = trained.astype(np.float64), exported.astype(np.float64), inputs["labels"].to_numpy()
    pair = ScoredPair(score_numbers(actual, before[:, 0]), score_numbers(actual, after[:, 0]))
    flipped = int(_differ(after, before, labels, decision).sum())
    return compare_metric(MEASURES, pair, trained, exported, flipped=flipped, unit=measure_spread(trained))


ANSWERS = Answers(
    owns=_owns,
    opener="AutoModelForSequenceClassification",
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
    scores=True,
    differ=_differ,
    unit=measure_spread,
    compare=_compare,
)
