"""Settings of multi-label classification: the sections of its tasks."""

from collections.abc import Iterator
from typing import Literal

from pipeline.settings import consistency
from pipeline.settings.fields import Text
from pipeline.settings.ingest import Holds
from pipeline.settings.production import WatchParams
from pipeline.settings.shared.classes import Labels
from pipeline.settings.shared.evaluation import LengthParams, check_slices
from pipeline.settings.shared.kind import Settings
from pipeline.settings.shared.texts import LabelledTextChecksParams, TextIngestParams
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

WORDS_SEPARATOR = ";"  # between the labels of a set that a person reads or writes


class LabelSetParams(TextIngestParams):
    """The columns of texts that have any number of classes each; without `labels` a Parquet file names these itself."""

    made = ("text", "labels")

    label: Text
    labels: Labels | None
    separator: Text | None
    no_labels: Literal["keep", "fail"]

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, in the labels and what stands between them too."""
        if self.labels is None and self.format != "parquet":
            yield "give `labels`, the classes"
            return
        if self.label in self.text:
            yield f"`text` and `label` must be two columns, both are {self.label!r}"
        yield from super().list_errors()
        if self.labels:
            yield from consistency.check_classes(self.labels, None)
        if self.format == "delimited" and not self.quote and self.separator == self.delimiter:
            yield f"`separator` and `delimiter` must differ without a `quote`, both are {self.separator!r}"
        names = [*(self.labels or ()), *(self.labels.values() if isinstance(self.labels, dict) else ())]
        for mark in dict.fromkeys((WORDS_SEPARATOR, self.separator)):
            if odd := [name for name in names if mark is not None and mark in name]:
                yield f"`labels` has {odd[0]!r}, in which {mark!r} would separate two labels; map it to another name"
                return

    def own_columns(self) -> dict[str, Holds]:
        """Return the columns of the text, and that of the labels."""
        return {**super().own_columns(), self.label: "cells"}

    def unnamed(self) -> str | None:
        """Return the column of the labels if `labels` does not say what the classes are."""
        return self.label if self.labels is None else None

    def list_separator(self) -> str | None:
        """Return what stands between the labels of a cell of text."""
        return self.separator


class LabelSetFinetuneParams(FinetuneParams):
    """The parameters of training an encoder to tell which classes a text has."""

    metric: Literal["mean_average_precision", "micro_f1", "macro_f1", "loss"]


class LabelSetEvaluateParams(EvaluateParams, LengthParams):
    """The parameters of the measurements of label sets."""


class LabelSetGates(TaskParams):
    """The gates of a task, one for each metric; no stage reads them."""

    micro_f1: MetricGate | None
    macro_f1: MetricGate | None
    mean_average_precision: MetricGate | None
    exact_match: MetricGate | None


SETTINGS = Settings(
    sections={
        "ingest": LabelSetParams,
        "validate": LabelledTextChecksParams,
        "tokenize": TokenizeParams,
        "extract": ExtractParams,
        "baseline": BaselineParams,
        "inspect": TaskParams,
        "finetune": LabelSetFinetuneParams,
        "calibrate": TaskParams,
        "evaluate": LabelSetEvaluateParams,
        "gates": LabelSetGates,
        "watch": WatchParams,
        "card": CardParams,
    },
    check=check_slices,
    columns={"text": "text", "label": "classes"},
    texts=("text",),
)
