"""Settings of question answering: the sections of its tasks, and the rules between them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.document import Document
from pipeline.settings.fields import Count, Share, Text
from pipeline.settings.ingest import Holds, IngestParams
from pipeline.settings.problems import Problems
from pipeline.settings.production import CalibrateParams, WatchParams
from pipeline.settings.shared.evaluation import LengthParams, check_slices, refuse_decision
from pipeline.settings.shared.kind import Settings
from pipeline.settings.shared.texts import TextChecksParams
from pipeline.settings.task import (
    CardParams,
    EvaluateParams,
    ExtractParams,
    FinetuneParams,
    MetricGate,
    Profile,
    SampleParams,
    TaskParams,
    TokenizeParams,
)

ANSWERABILITY = ("answerable", "unanswerable")


class ReadingParams(IngestParams):
    """The columns of a passage, a question, and the answers to it with where they start in the passage."""

    made = ("context", "question", "answers", "starts")

    context: Text
    question: Text
    answers: Text
    misplaced: Literal["fail", "nearest"]
    empty: Literal["drop", "fail"]
    controls: Literal["space", "fail"]

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, in the columns of an example too."""
        columns = [self.context, self.question, self.answers]
        if len(set(columns)) < len(columns):
            yield f"`context`, `question` and `answers` must be three columns, found {', '.join(columns)}"
        yield from super().list_errors()
        if self.corrections:
            yield f"`corrections` are those of the one class of a text, found {self.corrections!r}; set it to null"

    def own_columns(self) -> dict[str, Holds]:
        """Return the columns of an example."""
        return {self.context: "text", self.question: "text", self.answers: "json"}


class ReadingChecksParams(TextChecksParams):
    """The thresholds of the checks of passages, questions and answers."""

    max_answer_words: Count
    max_moved_share: Share
    max_unanswerable_share: Share
    max_label_drift: Share
    reference: Profile | None


class WindowParams(TokenizeParams):
    """The parameters that turn a question and its passage into windows of token ids."""

    stride: Annotated[int, Field(ge=0, le=4096)]

    @property
    def overlap(self) -> int:
        """The tokens that a window shares with the next: a third of it at most, so that a shorter one stays whole."""
        return min(self.stride, self.max_length // 3)


class ReaderParams(FinetuneParams):
    """The parameters of training an encoder to find the start and the end of an answer."""

    metric: Literal["f1", "exact_match", "loss"]


class ReadingEvaluateParams(EvaluateParams, LengthParams):
    """The parameters of the measurements of answers."""


class ReadingGates(TaskParams):
    """The gates of a task of questions, one for each metric; no stage reads them."""

    f1: MetricGate | None
    exact_match: MetricGate | None
    answerable_f1: MetricGate | None
    answerable_exact: MetricGate | None
    unanswerable: MetricGate | None


def _check(sections: Mapping[str, Document], problems: Problems) -> None:
    check_slices(sections, problems)
    refuse_decision(sections, problems, "an answer is of no class")


SETTINGS = Settings(
    sections={
        "ingest": ReadingParams,
        "validate": ReadingChecksParams,
        "tokenize": WindowParams,
        "extract": ExtractParams,
        "baseline": SampleParams,
        "inspect": TaskParams,
        "finetune": ReaderParams,
        "calibrate": CalibrateParams,
        "evaluate": ReadingEvaluateParams,
        "gates": ReadingGates,
        "watch": WatchParams,
        "card": CardParams,
    },
    check=_check,
    columns={"context": "text", "question": "text", "answers": "answers"},
    texts=("context", "question"),
)
