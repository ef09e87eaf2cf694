"""Answers of text classification: the class of a text, by the decision that validation has chosen."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.calibration.decision import Decision
from pipeline.classes.answers import (
    ANSWER_EXAMPLE,
    Answer,
    differ_in_class,
    list_class_columns,
    tabulate_decisions,
    to_answers,
    to_decision,
)
from pipeline.core.document import Document
from pipeline.predict.kind import Answers, OutputNames, has_head
from pipeline.predict.logits import softmax
from pipeline.predict.questions import TEXT_QUESTIONS, join_rows

_OTHER_HEADS = ("multi_label_classification", "regression")  # of the same class of the library


def _owns(config: Document) -> bool:
    return has_head(config, "ForSequenceClassification") and config.get("problem_type") not in _OTHER_HEADS


def _compare(
    trained: npt.NDArray[np.float32],
    exported: npt.NDArray[np.float32],
    inputs: pa.Table,
    labels: OutputNames,
    decision: Decision,
) -> Any:
    from pipeline.export.parity import compare_logits  # noqa: PLC0415  # scipy, of use here only

    return compare_logits(trained, exported, inputs["labels"].to_numpy(), labels=labels, decision=decision)


ANSWERS = Answers(
    owns=_owns,
    opener="AutoModelForSequenceClassification",
    reads="first token",
    questions=TEXT_QUESTIONS,
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
    scores=True,
    differ=differ_in_class,
    unit=lambda _logits: 1.0,
    compare=_compare,
)
