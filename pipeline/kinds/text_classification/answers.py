"""Answers of text classification: the class of a text, by the decision that validation has chosen."""

from pipeline.classes.answers import answer_by_class
from pipeline.predict.kind import ONE_CLASS, list_scores
from pipeline.predict.questions import TEXT_QUESTIONS

ANSWERS = answer_by_class(
    head="ForSequenceClassification",
    problem=ONE_CLASS,
    reads="first token",
    questions=TEXT_QUESTIONS,
    pipe=list_scores,
)
