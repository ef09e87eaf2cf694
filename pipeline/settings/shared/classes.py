"""Sections of tasks whose examples have one class each."""

import json
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from pipeline.core.document import Strict
from pipeline.settings import consistency
from pipeline.settings.fields import LIST, MAP, Count, Name, Share, Text, shape
from pipeline.settings.ingest import Holds, IngestParams
from pipeline.settings.task import FinetuneParams, MetricGate, ValidateParams


def _require_labels(labels: object) -> object:
    """Return `labels` if every label and class is text.

    Raises:
        ValueError: Some are numbers, truth values or null, or the map is turned round.
    """
    values = list(labels.values()) if isinstance(labels, dict) else labels if isinstance(labels, list) else []
    odd = [value for value in values if value is None or isinstance(value, bool | int | float)]
    if not odd:
        return tuple(labels) if isinstance(labels, list) else labels
    if isinstance(labels, dict) and len(odd) == len(labels):
        turned = {json.dumps(value): str(key) for key, value in labels.items()}
        raise ValueError(
            f"`labels` maps the text in the file to the class; turn it round: {json.dumps(turned, ensure_ascii=False)}"
        )
    spelled = json.dumps(odd[0])
    raise ValueError(f'labels and classes are text, found {spelled}; write "{spelled}" in quotes')


class Threshold(Strict):
    """Classes from numeric labels: `above` if the label is above `at`, else `otherwise`."""

    at: float
    above: Text
    otherwise: Text


_Labels = Annotated[
    Annotated[dict[str, Text], Field(min_length=1), Tag(MAP)]
    | Annotated[tuple[Text, ...], Field(min_length=1), Tag(LIST)],
    Discriminator(shape),
]
Labels = Annotated[_Labels, BeforeValidator(_require_labels)]


class LabelParams(IngestParams):
    """The column of the class of an example, and the classes; without `labels` a Parquet file names them itself."""

    label: Text
    labels: Labels | None
    threshold: Threshold | None

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, in the classes too."""
        if (self.labels is None) == (self.threshold is None) and not (self.unnamed() and self.format == "parquet"):
            yield "give either `labels` (the classes) or `threshold` (for numeric labels)"
            return
        yield from super().list_errors()
        sides = (self.threshold.otherwise, self.threshold.above) if self.threshold else None
        if self.labels or sides:
            yield from consistency.check_classes(self.labels, sides)

    def own_columns(self) -> dict[str, Holds]:
        """Return the column of the label."""
        return {**super().own_columns(), self.label: "cell"}

    def unnamed(self) -> str | None:
        """Return the column of the label if neither `labels` nor `threshold` says what its classes are."""
        return self.label if self.labels is None and self.threshold is None else None


class ClassChecksParams(ValidateParams):
    """The thresholds of the checks of classes."""

    min_class_rows: Count
    min_class_share: Share
    max_majority_share: Annotated[float, Field(gt=0, le=1)]
    max_label_drift: Share


class ClassifierParams(FinetuneParams):
    """The parameters of training an encoder to tell classes apart."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    class_weights: Literal["none", "balanced"]
    metric: Literal["accuracy", "macro_f1", "loss"]


class ClassGates(Strict):
    """The gates of a task, one for each metric; no stage reads them, so an edit of them reruns no model."""

    task: Name
    accuracy: MetricGate | None
    macro_f1: MetricGate | None
    log_loss: MetricGate | None
    brier: MetricGate | None
    ece: MetricGate | None
