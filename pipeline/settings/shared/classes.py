"""Sections of tasks whose examples have one class each."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import Name
from pipeline.settings.problems import Problems
from pipeline.settings.task import FinetuneParams, MetricGate


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


def check_slices(ingest: Document, evaluate: Document, problems: Problems) -> None:
    """Add an error for a slice by a column that the examples will not have: now, and not after hours of training."""
    kept = (*ingest.get("keep", ()), "label")
    for column in evaluate.get("slices", ()):
        if ingest and column not in kept:
            problems.add("", f"must be columns of `ingest.keep` ({', '.join(kept)}), found {column!r}")
