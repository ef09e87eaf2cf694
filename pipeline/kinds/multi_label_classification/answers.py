"""Answers of multi-label classification: the classes of a text whose probabilities reach their thresholds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field

from pipeline.core.document import Document
from pipeline.kinds.multi_label_classification.metrics import (
    EVEN_THRESHOLD,
    ScoredSets,
    apply_thresholds,
    score_label_sets,
    to_indicators,
)
from pipeline.predict.kind import ANSWER_DIGITS, CLASS_COLUMN, Answers, OutputNames, Outputs, list_scores
from pipeline.predict.logits import sigmoid
from pipeline.predict.questions import TEXT_QUESTIONS, join_rows

Thresholds = tuple[float, ...]  # of each label; empty: one half for all


class LabelSetAnswer(BaseModel):
    """The labels of one text: any number of them, or none."""

    labels: list[str] = Field(description="Those whose probability reaches the threshold that validation has chosen.")
    probabilities: dict[str, float] = Field(description="Of these labels, or of all if `all` asks for them.")


def choose_labels(outputs: Outputs, thresholds: Thresholds) -> npt.NDArray[np.bool_]:
    """Return which labels are answered, (N, C)."""
    return apply_thresholds(outputs, np.array(thresholds or EVEN_THRESHOLD))


def _list_columns(labels: Sequence[str]) -> dict[str, pa.DataType]:
    columns = {"labels": pa.list_(pa.string()), "probabilities": pa.list_(pa.float64())}
    return columns | {f"{CLASS_COLUMN}{label}": pa.float64() for label in labels}


def _tabulate(outputs: Outputs, _texts: Sequence[str], labels: OutputNames, thresholds: Thresholds) -> list[Any]:
    answered, shown = choose_labels(outputs, thresholds), outputs.round(ANSWER_DIGITS)
    names = [[labels[place] for place in np.flatnonzero(row)] for row in answered]
    return [names, [values[row].tolist() for values, row in zip(shown, answered, strict=True)], *shown.T]


def _respond(
    outputs: Outputs, _texts: Sequence[str], labels: OutputNames, thresholds: Thresholds, with_all: bool
) -> list[Document]:
    """Return a `LabelSetAnswer` for each row of (N, C) probabilities."""
    answers: list[Document] = []
    for values, row in zip(outputs.tolist(), choose_labels(outputs, thresholds).tolist(), strict=True):
        own = [label for label, answered in zip(labels, row, strict=True) if answered]
        by_label = dict(zip(labels, values, strict=True))
        answers.append(
            {"labels": own, "probabilities": by_label if with_all else {name: by_label[name] for name in own}}
        )
    return answers


def _differ(outputs: Outputs, others: Outputs, _labels: OutputNames, thresholds: Thresholds) -> npt.NDArray[np.bool_]:
    first, second = (choose_labels(each, thresholds) for each in (outputs, others))
    return np.asarray((first != second).any(axis=1))


def _score(outputs: Outputs, inputs: pa.Table, _labels: OutputNames, thresholds: Thresholds) -> ScoredSets:
    actual = to_indicators(inputs["labels"], inputs)
    return score_label_sets(actual, outputs, choose_labels(outputs, thresholds))


ANSWERS = Answers(
    head="ForSequenceClassification",
    problem="multi_label_classification",
    reads="first token",
    questions=TEXT_QUESTIONS,
    outputs=lambda classes: classes,
    activate=sigmoid,
    join=join_rows,
    keep=lambda calibration: calibration["thresholds"],
    decide=lambda kept: tuple(kept or ()),
    columns=_list_columns,
    tabulate=_tabulate,
    names=lambda batch: (name for names in batch["labels"].to_pylist() for name in names or ["(none)"]),
    answer=(LabelSetAnswer, {"labels": ["drama", "war"], "probabilities": {"drama": 0.91, "war": 0.62}}),
    respond=_respond,
    pipe=list_scores,
    differ=_differ,
    unit=lambda _logits: 1.0,
    score=_score,
)
