"""Settings of text regression: the sections of its tasks."""

from collections.abc import Iterator
from typing import Literal

from pipeline.settings.fields import Text
from pipeline.settings.ingest import Holds
from pipeline.settings.production import WatchParams
from pipeline.settings.shared.evaluation import LengthParams, check_slices
from pipeline.settings.shared.kind import Settings
from pipeline.settings.shared.texts import PairChecksParams, PairIngestParams
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


class NumberParams(PairIngestParams):
    """The columns of texts, or of pairs of texts, that have a number each."""

    made = ("text", "label")

    label: Text

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, between texts and label too."""
        for name, columns in (("text", self.text), ("pair", (self.pair,))):
            if self.label in columns:
                yield f"`{name}` and `label` must be two columns, both are {self.label!r}"
        yield from super().list_errors()

    def own_columns(self) -> dict[str, Holds]:
        """Return the columns of the texts, and that of the number."""
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
        "validate": PairChecksParams,
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
