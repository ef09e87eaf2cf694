"""Answers of text classification: the class of a text, by the decision that validation has chosen."""

from pipeline.classes.answers import (
    ANSWER_EXAMPLE,
    Answer,
    differ_in_class,
    list_class_columns,
    tabulate_decisions,
    to_answers,
    to_decision,
)
from pipeline.predict.kind import ONE_CLASS, Answers, list_scores
from pipeline.predict.logits import softmax
from pipeline.predict.questions import TEXT_QUESTIONS, join_rows

ANSWERS = Answers(
    head="ForSequenceClassification",
    problem=ONE_CLASS,
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
    pipe=list_scores,
    differ=differ_in_class,
    unit=lambda _logits: 1.0,
    score=None,
)
