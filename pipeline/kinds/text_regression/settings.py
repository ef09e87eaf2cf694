"""Settings of text regression: the sections of its tasks."""

from collections.abc import Iterator
from typing import Literal

from pipeline.settings.fields import Text
from pipeline.settings.ingest import Holds
from pipeline.settings.production import WatchParams
from pipeline.settings.shared.evaluation import LengthParams, check_slices
from pipeline.settings.shared.kind import Settings
from pipeline.settings.shared.texts import DriftChecksParams, TextIngestParams
from pipeline.settings.task import (
    BaselineParams,
    CardParams,
    EvaluateParams,
    ExtractParams,
    FinetuneParams,
    MetricGate,
    TaskParams,
    TokenizeParams,
)


class NumberParams(TextIngestParams):
    """The columns of texts that have a number each."""

    made = ("text", "label")

    label: Text

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, between text and label too."""
        if self.label in self.text:
            yield f"`text` and `label` must be two columns, both are {self.label!r}"
        yield from super().list_errors()

    def own_columns(self) -> dict[str, Holds]:
        """Return the columns of the text, and that of the number."""
        return {**super().own_columns(), self.label: "cell"}


class NumberFinetuneParams(FinetuneParams):
    """The parameters of training an encoder to tell a number."""

    metric: Literal["rmse", "spearman"]


class NumberEvaluateParams(EvaluateParams, LengthParams):
    """The parameters of the measurements of numbers."""


class NumberGates(TaskParams):
    """The gates of a task, one for each metric; no stage reads them."""

    rmse: MetricGate | None
    mae: MetricGate | None
    pearson: MetricGate | None
    spearman: MetricGate | None


SETTINGS = Settings(
    sections={
        "ingest": NumberParams,
        "validate": DriftChecksParams,
        "tokenize": TokenizeParams,
        "extract": ExtractParams,
        "baseline": BaselineParams,
        "inspect": TaskParams,
        "finetune": NumberFinetuneParams,
        "calibrate": TaskParams,
        "evaluate": NumberEvaluateParams,
        "gates": NumberGates,
        "watch": WatchParams,
        "card": CardParams,
    },
    check=check_slices,
    columns={"text": "text", "label": "number"},
    texts=("text",),
)
